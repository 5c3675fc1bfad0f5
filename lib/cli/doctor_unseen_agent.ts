/**
 * Why the agent of a service that runs is not seen.
 *
 * @module
 */

import { lastSetting, settingText } from "../service/loaded_unit.ts";
import { dirname } from "../parse/path.ts";
import { isPaused } from "./agent_process.ts";
import { type CheckResult, failed } from "./checks.ts";
import { pausedResult } from "./doctor_agent.ts";
import type { FoundService } from "./doctor_found_service.ts";
import { errorResult, unexplained } from "./doctor_stopped_service.ts";
import { loggedFailure } from "./doctor_unit_setup.ts";
import { crash, hiddenPath, restart, underSettings } from "./doctor_unit_settings.ts";

/** Settings under which a service may not get to its first report. */
const SLOWING_SETTINGS = ["CPUQuota", "MemoryHigh", "IOReadBandwidthMax", "IOReadIOPSMax"];

/** A service that runs, and whose agent is not seen. */
export function unseenResult(
  text: string,
  found: FoundService,
  { loops }: { loops: boolean },
): CheckResult {
  const { state, unit, runtimeFolder } = found;
  const { logHint = "" } = state ?? {};
  // Of a run before this one, unless systemd has started that again by itself.
  const lastError = unit?.property("NRestarts") === "0" ? "" : state?.lastError ?? "";
  const pid = Number(unit?.property("MainPID") ?? 0);
  const why = unit && (hiddenPath(unit, lastError) ?? crash(unit, lastError));
  if (why !== undefined) {
    return failed(`${text}${loops ? ":" : ", but"} ${why.text}`, ...why.advice);
  }
  if (lastError !== "") {
    const seen = { ...found, state: found.state && { ...found.state, lastError } };
    return errorResult(loops ? text : `${text}, but no agent of it is seen`, seen);
  }
  // The log may have the end of the start before this one, and not yet what it said.
  const setUp = loops && unit ? loggedFailure(unit, found) : undefined;
  if (setUp !== undefined) return failed(`${text}: ${setUp.text}`, ...setUp.advice);
  if (pid > 0) {
    if (isPaused(pid)) return pausedResult(text, pid);
    const file = `${runtimeFolder}/health`;
    const { state: seenAs, advice } = seenFile(file);
    const unseen = `${text}; it is process ${pid}, and its health file ${file} ${seenAs}`;
    if (advice !== undefined) return failed(unseen, advice);
    const set = unit &&
      (underSettings(unseen, unit, SLOWING_SETTINGS) ?? hiddenPath(unit, unseen));
    if (set !== undefined) return failed(set.text, ...set.advice);
    if (loops && unit !== undefined) {
      const { lastDeath = "" } = state ?? {};
      const read = `read its log: ${logHint.replace(/ -f$/, " -n 30")}`;
      const ended = lastDeath === "" ? unseen : `${text}: before, ${lastDeath}`;
      return { ...unexplained(ended, unit, read), kind: "unexplained" };
    }
    const folder = unit && lastSetting(unit.settings, "RuntimeDirectory");
    if (unit !== undefined && folder !== undefined && folder.isOurs !== true) {
      const remove = `remove ${settingText(folder)}, and then: ${restart(unit.name)}`;
      return failed(unseen, remove);
    }
    if (unit !== undefined && folder === undefined && unit.settings.length > 0) {
      return failed(
        `${unseen}; ${unit.property("FragmentPath")} has no RuntimeDirectory= by now`,
        `have the unit written anew: ${unit.install}`,
      );
    }
    const waiting = failed(
      unseen,
      "if it was started a moment ago, ask again in some seconds",
      `see whether it says why it has none: ${logHint.replace(/ -f$/, " -n 30")}`,
      `if the file was removed, have it made again: systemctl restart ${unit?.name}`,
    );
    return { ...waiting, kind: "unexplained" };
  }
  return unexplained(
    `${text}, but no agent of it is seen`,
    unit,
    `it was started a moment ago, or ends again and again: ${logHint}`,
  );
}

/** A health file that is not taken for the agent's, and advice where that is the cause. */
function seenFile(file: string): { state: string; advice?: string } {
  const folder = dirname(file);
  try {
    return Deno.lstatSync(file).uid === Deno.lstatSync(folder).uid
      ? { state: "says nothing of it" }
      : {
        state: `belongs to another user than ${folder}, so that anybody may have written it`,
        advice: `see whose both are, and give the folder back: ls -ld ${folder} ${file}`,
      };
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied
      ? { state: "is not for this user", advice: "run it as root (sudo)" }
      : { state: "is not there" };
  }
}
