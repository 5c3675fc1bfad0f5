/**
 * Options of the commands `install` and `uninstall`.
 *
 * @module
 */

import { checked, toggle } from "./option.ts";

const GROUP = "Install";

/** Part of the option table, apart for its length only. */
export const INSTALL_OPTIONS = {
  print: toggle({
    flag: "print",
    group: GROUP,
    help: "Show what would be done, and do nothing",
  }),
  asRoot: toggle({
    flag: "as-root",
    group: GROUP,
    help: "Let the service run as root; remote control wants it where it is to administer",
  }),
  replace: toggle({
    flag: "replace",
    group: GROUP,
    help: "Take the place of an official agent: its panel, token, options and month's traffic",
  }),
  restore: toggle({
    flag: "restore",
    group: GROUP,
    help: "For `uninstall`: bring back the official agent that was replaced",
  }),
  installDir: checked<string>({
    flag: "install-dir",
    placeholder: "FOLDER",
    group: GROUP,
    help: "Where the program is put",
    initial: "",
    initialText: "/opt/komari-agent-deno, without root ~/.local/share/komari-agent-deno",
    parse: parseFolder,
  }),
  installServiceName: checked<string>({
    flag: "install-service-name",
    placeholder: "NAME",
    group: GROUP,
    help: "What the service is called",
    initial: "komari-agent-deno",
    parse: parseServiceName,
  }),
} as const;

/** The folder goes into unit files and scripts, where other signs would need quoting. */
function parseFolder(value: string): string {
  const plain = /^\/[A-Za-z0-9._/+@-]*[A-Za-z0-9._+@-]\/*$/.test(value);
  if (!plain || value.split("/").includes("..")) {
    throw new RangeError(
      "a full path of letters, digits and ._+@-, such as /opt/komari-agent-deno",
    );
  }
  return value.replace(/\/+$/, "");
}

function parseServiceName(value: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/.test(value)) {
    throw new RangeError("letters, digits and _.@-, 64 at most");
  }
  return value;
}
