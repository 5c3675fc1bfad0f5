/**
 * Why an installed service does not run, by the last error in its log.
 *
 * @module
 */

import type { ServiceState } from "../service/installed_service.ts";
import { placeOf, settingNames } from "./loaded_unit.ts";
import { failed, type Finding, type Line } from "./check.ts";
import { candidates, DAMAGED, type FoundService, isOfInstall } from "./found_service.ts";
import { restart } from "./options.ts";
import { barrierTo, identityOf } from "./rights.ts";

/** An installed service, as its manager and its files tell of it. */
export interface Known {
  readonly state: ServiceState;
  readonly found: FoundService;
}

/** How errors in the log of a service are repaired; the first row that fits counts. */
const ERRORS: readonly (readonly [
  error: RegExp,
  advice: (known: Known & { match: RegExpExecArray }) => readonly Line[],
])[] = [
  [DAMAGED, ({ found }) => [`put the program there again: ${found.install}`]],
  [
    /(?:Failed to locate executable|step EXEC spawning|Failed to execute) (\/\S+): No such file/,
    ({ found }) => [candidates(found)?.look, `put the program there again: ${found.install}`],
  ],
  [
    /step (?:USER|GROUP)\b/,
    ({ found: { unit, install } }) => [
      `make user ${
        unit?.property("User")
      } again, or correct User= and Group= of the unit: ${install}`,
    ],
  ],
  [
    / (\/\S+): permission denied/i,
    ({ found, state, match: [, path = ""] }) => {
      const user = found.unit?.property("User") || "root";
      const identity = identityOf(user);
      const use = /locate executable|EXEC|execute/.test(state.lastError) ? "run" : "read";
      const barrier = identity && barrierTo(path, identity, use);
      if (barrier === undefined) {
        const look = `see its rights, and those of its disk: namei -l ${path}; findmnt -T ${path}`;
        return [candidates(found)?.look, `${look}; journalctl -k | grep -i -e avc -e apparmor`];
      }
      return /^\/(?:root|home)(?:\/|$)/.test(barrier.path)
        ? [`user ${user} may not use ${barrier.path}: put the file where that user can read it`]
        : [`let user ${user} pass ${barrier.path}: ${barrier.repair} && ${state.start}`];
    },
  ],
  [/no space left/i, () => ["make room on the disk that it names: df -h; df -i"]],
  [
    /(?:Cannot use|Cannot read) .*?(\/\S+\.json)/,
    ({ found, match: [, file = ""] }) => [
      file === found.record?.config
        ? `correct that, and have it used: ${found.install}`
        : `correct ${file}, or ExecStart= that names it: systemctl cat ${found.state?.name}`,
    ],
  ],
];

/** The last error in the log of a service, and what to do about it. */
export function byLastError(text: string, { state, found }: Known): Finding {
  const { lastError, start, logHint } = state;
  // The agent's own lines name what to do.
  const [reason = "", action] = lastError.split(" \u2192 ");
  const said = `${text}; the last error in its log: ${reason}`;
  if (
    found.readConfig !== undefined && /\bCannot use /.test(lastError) &&
    lastError.includes(found.readConfig)
  ) {
    return failed(`${said}; that is repaired by now`, `start it: ${start}`);
  }
  const [match, advice] = ERRORS.flatMap(([error, advice]) => {
    const match = error.exec(lastError);
    return match === null ? [] : [[match, advice] as const];
  })[0] ?? [];
  const added = candidates(found);
  if (action !== undefined) {
    return failed(`${said}${added?.text ?? ""}`, action, added?.look, `then start it: ${start}`);
  }
  if (match !== undefined && advice !== undefined) {
    return failed(said, ...advice({ state, found, match }));
  }
  // A variable that the error names, where a file of the unit sets it.
  const set = found.settings.findLast((it) =>
    !isOfInstall(it, found.unit) && it.name === "Environment" &&
    settingNames([it]).some((name) => new RegExp(`\\b${name}\\b`).test(lastError))
  );
  if (set !== undefined) {
    return failed(said, `correct that in ${placeOf(set)}, and then: ${restart(state.name)}`);
  }
  return /\bCannot /.test(lastError) && added === undefined
    ? failed(said, `repair that, and then: ${start}; its log: ${logHint}`)
    : failed(
      `${said}${added?.text ?? ""}`,
      added?.look,
      `repair that, and then: ${start}; its log: ${logHint}`,
    );
}
