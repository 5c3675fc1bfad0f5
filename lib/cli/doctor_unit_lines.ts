/**
 * Lines of a unit's files, for `doctor`, that systemd does not take.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { LoadedUnit, UnitSetting } from "../service/loaded_unit.ts";
import {
  changed,
  changedSetting,
  type FoundUnit,
  restart,
  type UnitFailure,
} from "./doctor_unit_settings.ts";

/** What systemd says of lines that `install` has not written, without their values. */
export function linesWrong({ settings }: LoadedUnit, detail: string): string[] {
  const ours = settings.filter(({ isOurs }) => isOurs).map(({ name }) => name);
  const exported = settings.filter(({ name }) => name === "EnvironmentFile").flatMap(exportedIn);
  const said = [...detail.matchAll(/^(\/[^:\s]+:\d+): ([^:\n]+)/gm)]
    .filter(([, , words = ""]) => !words.split(/\W+/).some((word) => ours.includes(word)))
    .map(([, place, words]) =>
      `${place}: ${words?.replace(/\.$/, "").replace(/(\w)=\S+/, "$1=…")}`
    );
  return [...said, ...exported];
}

/** Variables of a file that are exported, as for a shell; systemd sets none of them, and does not say so. */
function exportedIn({ value }: UnitSetting): string[] {
  const file = value.replace(/^-/, "");
  const lines = (attempt(() => Deno.readTextFileSync(file)) ?? "").split("\n");
  return lines.flatMap((line, at) => {
    const [, name] = /^\s*export\s+(\w+)=/.exec(line) ?? [];
    return name === undefined ? [] : [`${file}:${at + 1}: no "export" before ${name}`];
  });
}

/** A unit that systemd has not read: what it says of the unit and of its lines, without their values. */
export function unreadableUnit(load: string, unit: FoundUnit, detail: string): UnitFailure {
  const { name } = unit;
  const text = `systemd can't read its unit (${load})`;
  const lines = linesWrong(unit, detail);
  const refusals = [...detail.matchAll(/^\S+\.service: (.+?)\.? Refusing\./gm)].map(([, it]) => it);
  const said = [...new Set([...lines, ...refusals])].join("; ");
  if (said === "") {
    return detail.trim() === ""
      ? {
        text: `${text}, and by now finds no fault in its files`,
        advice: [`have systemd read it again: ${restart(name)}`],
      }
      : { text, advice: [`see what is wrong in it: systemd-analyze verify ${name}`] };
  }
  const second = changedSetting(unit, "ExecStart");
  const [file = ""] = (lines[0] ?? unit.property("FragmentPath")).split(":");
  return /more than one ExecStart/.test(said) && second !== undefined
    ? {
      text: `${text}: ${said} (${second.file})`,
      advice: [
        `write an empty line ExecStart= above it in ${second.file}, and then: ${restart(name)}`,
      ],
    }
    : { text: `${text}: ${said}`, advice: [changed("correct that", { unit, file })] };
}
