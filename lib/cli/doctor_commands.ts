/**
 * Commands that advice of `doctor` names, by what this machine has.
 *
 * @module
 */

import { attempt } from "../attempt.ts";

/** A command of root's: who is root may have no `sudo`. */
export function asRoot(command: string): string {
  return Deno.uid() === 0 ? command : `sudo ${command}`;
}

/** Whether OpenRC runs this machine, as on Alpine. */
function hasOpenrc(): boolean {
  return attempt(() => Deno.statSync("/run/openrc").isDirectory) ?? false;
}

/** Sets the clock, from now on. */
export function setClockCommand(isOfOpenrc = hasOpenrc()): string {
  return isOfOpenrc
    ? "rc-service chronyd start; rc-update add chronyd"
    : "timedatectl set-ntp true, which needs chrony or systemd-timesyncd";
}

/** Shows what those have said that give interfaces their addresses. */
export function networkLogCommand(isOfOpenrc = hasOpenrc()): string {
  return isOfOpenrc
    ? "grep -i dhcp /var/log/messages"
    : "journalctl -u systemd-networkd -u NetworkManager -u networking";
}

/** Puts a copy of a file in the place of what is there, be it a link to that file. */
export function inPlace(file: string, place: string, rights: string): string {
  return `install ${rights} ${file} ${place}.new && mv ${place}.new ${place}`;
}
