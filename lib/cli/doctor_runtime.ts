/**
 * The Deno by which a service runs, for `doctor`, where it is not there, or not for the user of the service.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { variableFile } from "../service/loaded_unit.ts";
import { inPlace } from "./doctor_commands.ts";
import { barrierTo, identityOf, realPath } from "./doctor_rights.ts";
import { correctionOf, isMissing } from "./doctor_unit_program.ts";
import { type FoundUnit, restart, type UnitFailure } from "./doctor_unit_settings.ts";

/** How the program says that there is no Deno at that path. */
const NO_RUNTIME = / (\/\S+) is not there, or not for this user/;
/** The same, and that there is one which it can't run. */
const UNUSABLE = / (\/\S+) is (?:not there, or not for this user|there as \S+, and does not run)/;

/** Whether the Deno that a service missed is there, and its user may run it. */
export function hasRuntimeAgain(unit: FoundUnit, lastError: string): boolean {
  const [, deno] = NO_RUNTIME.exec(lastError) ?? [];
  const identity = identityOf(unit.property("User") || "root");
  return deno !== undefined && identity !== undefined &&
    attempt(() => Deno.statSync(deno).isFile) === true &&
    barrierTo(deno, identity, "run") === undefined;
}

/** A Deno that is not there, or that is, and that the user of a service may not run. */
export function missingRuntime(unit: FoundUnit, lastError: string): UnitFailure | undefined {
  const [, deno = ""] = UNUSABLE.exec(lastError) ?? [];
  const user = unit.property("User") || "root";
  const identity = deno === "" ? undefined : identityOf(user);
  // This doctor runs by a Deno that can take its place.
  const isOwnDeno = !Deno.build.standalone && Deno.execPath() !== deno;
  if (NO_RUNTIME.test(lastError) && isMissing(deno) && isOwnDeno) {
    const copy = inPlace(Deno.execPath(), deno, "-m 755");
    const isSet = variableFile(unit.settings, "DENO") !== unit.property("FragmentPath");
    return {
      text: `the Deno that runs this is ${Deno.execPath()}`,
      advice: [
        `put it there: ${copy} && systemctl restart ${unit.name}`,
        isSet ? correctionOf(unit, lastError) : undefined,
      ],
    };
  }
  const barrier = identity && barrierTo(deno, identity, "run");
  if (barrier === undefined) return undefined;
  const text = `it is there, and user ${user} may not use ${barrier.path}`;
  const file = variableFile(unit.settings, "DENO");
  const name = file === undefined ? "" : `, write DENO=${SHARED_DENO} into ${file}`;
  const advice = barrier.path === deno
    ? `let everybody run it: chmod a+rx ${deno} && systemctl restart ${unit.name}`
    : `put Deno where every user may run it: ${
      inPlace(realPath(deno), SHARED_DENO, "-m 755")
    }${name}, and then: ${restart(unit.name)}`;
  return { text, advice: [advice] };
}

/** Where each user finds and may run it. */
const SHARED_DENO = "/usr/local/bin/deno";
