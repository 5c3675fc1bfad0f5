/**
 * The check of `doctor` of the installed service.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { foreignOwner } from "../service/install_record.ts";
import { type ServiceState, serviceText } from "../service/installed_service.ts";
import { lastSetting, type LoadedUnit, settingText, unreadText } from "../service/loaded_unit.ts";
import { updateServiceName } from "../service/update_service.ts";
import { dirname } from "../parse/path.ts";
import type { Health } from "../state/health_reader.ts";
import {
  type CheckResult,
  failed,
  linesOf,
  ok,
  result,
  skipped,
  warning,
  withLines,
} from "./checks.ts";
import { asRoot } from "./doctor_commands.ts";
import type { FoundService } from "./doctor_found_service.ts";
import { ENDING_SETTINGS, startsNoMore, stoppedResult } from "./doctor_stopped_service.ts";
import { linesWrong } from "./doctor_unit_lines.ts";
import { missingRequirement, unitFailure } from "./doctor_unit.ts";
import { missingPart } from "./doctor_unit_program.ts";
import { changed, ofUserManager, restart, underSettings } from "./doctor_unit_settings.ts";
import { missingUser, neverStarts } from "./doctor_unit_setup.ts";
import { unseenResult } from "./doctor_unseen_agent.ts";
import { counted, duration } from "./help.ts";

/** A service that was started again so often, and a moment ago, will not last. */
const MANY_RESTARTS = 2;
const LATELY_STARTED_MS = 120_000;
/** One that was killed so lately may be killed again. */
const LATELY_KILLED_MS = 3_600_000;
/** How what is short of memory ends. */
const KILLED = /SIGKILL|memory/;
/** The result for the installed service, whose agent is seen by its `health`. */
export function serviceResult(found: FoundService, health: Health | undefined): CheckResult {
  const shown = withUnread(withIgnored(ofService(found, health), found), found);
  return withLines(shown, linesOf(shown).map((line) => commandsFor(found, line)));
}

/** A result with the lines of the unit's files that systemd leaves out, and does not run it for. */
function withIgnored(shown: CheckResult, { unit, detail }: FoundService): CheckResult {
  const wrong = unit?.property("LoadState") === "loaded" ? linesWrong(unit, detail) : [];
  const [line = ""] = wrong;
  if (unit === undefined || line === "" || shown.status === "skipped") return shown;
  const text = `${shown.text}; systemd leaves out what is wrong: ${wrong.join("; ")}`;
  if (shown.status !== "ok") return { ...shown, text };
  const [file = ""] = line.split(":");
  return warning(text, changed("correct that", { unit, file }));
}

/** A result with what systemd has not read yet of the unit's files. */
function withUnread(shown: CheckResult, { unit }: FoundService): CheckResult {
  const unread = unit && unreadText(unit);
  if (unit === undefined || unread === undefined || shown.status === "skipped") return shown;
  const text = `${shown.text}; ${unread}`;
  const lines = linesOf(shown);
  if (shown.status === "ok") return warning(text, restart(unit.name));
  const isTold = lines.some((line) => line.includes("daemon-reload"));
  return isTold
    ? { ...shown, text }
    : withLines({ ...shown, text }, [...lines, `have systemd read them: ${restart(unit.name)}`]);
}

/** Advice whose commands work in the state of the service, and for a user's own systemd. */
function commandsFor({ scope, state }: FoundService, advice: string): string {
  const starts = /\bsystemctl (--user )?(?:re)?start ([^\s;]+)/g;
  const working = state?.isStartLimited === true
    ? advice.replace(starts, "systemctl $1reset-failed $2 && $&")
    : advice;
  return scope === "system" ? working : ofUserManager(working, state?.name ?? "");
}

function ofService(found: FoundService, health: Health | undefined): CheckResult {
  const { state, unit, install } = found;
  if (found.recordError !== "") {
    const [, file] = /^Cannot read (\/\S+): /.exec(found.recordError) ?? [];
    const isDamaged = /Cannot parse|JSON/.test(found.recordError);
    return failed(
      found.recordError,
      isDamaged && file !== undefined
        ? `remove it, and write it anew: ${asRoot(`rm ${file}`)} && ${install}`
        : "run it as root (sudo), which may read it",
    );
  }
  if (state === undefined) {
    if (unit !== undefined && unit.property("LoadState") === "loaded") {
      return failed(
        `${unit.property("FragmentPath")} is there, but the record of its installation is not`,
        `write the record anew: ${install}`,
      );
    }
    return isInContainerImage()
      ? skipped("not used in a container")
      : skipped("not installed as a service", "`install` starts it at every boot");
  }
  if (state.isUnconfigured) {
    return failed(
      `${state.name} is installed and not configured: it knows no panel`,
      `name the panel: ${asRoot("komari-agent-deno install -e URL --token-file -")}`,
    );
  }
  const isSystemd = state.manager === "systemd";
  if (state.isActive === undefined || (isSystemd && unit === undefined)) {
    const text = isSystemd
      ? `systemctl does not answer, so nothing is known of ${state.name}`
      : serviceText(state);
    const advice = !isSystemd
      ? undefined
      : found.scope === "system"
      ? "see what systemd itself says: journalctl -b _PID=1 -n 20"
      : "ask it in a login of its user, not by su or sudo -u";
    return result(health === undefined ? "failed" : "warning", text, advice);
  }
  const loops = health === undefined && unit !== undefined && isLooping(unit);
  const restarts = unit === undefined ? 0 : restartsOf(unit);
  const isRepeated = loops || unit?.property("SubState").startsWith("auto-restart") === true;
  const text = unit !== undefined && neverStarts(unit) && isRepeated && restarts > 0
    ? `${state.name} (systemd) does not start, and systemd has tried it again ${
      counted(restarts, "time")
    }`
    : loops
    ? `${state.name} (systemd) ends again and again, and systemd has started it again ` +
      counted(restarts, "time")
    : serviceText(state, unit);
  if (!state.isActive) {
    const stopped = stoppedResult(text, found);
    return { ...stopped, text: stopped.text + startsNoMore(found) };
  }
  return health === undefined
    ? unseenResult(text, found, { loops })
    : runningResult(text, { state, health, found });
}

/** The result for a service whose agent is seen: what hinders its next start, or has ended it before. */
function runningResult(
  text: string,
  { state, health, found }: { state: ServiceState; health: Health; found: FoundService },
): CheckResult {
  const { unit, install } = found;
  const restarts = unit === undefined ? 0 : restartsOf(unit);
  const isLoaded = ["loaded", ""].includes(unit?.property("LoadState") ?? "");
  const again = `${text}; systemd has started it again ${counted(restarts, "time")}`;
  const death = restarts > 0 ? state.lastDeath : "";
  const withDeath = (text: string) => death === "" ? text : `${text}: before, ${death}`;
  const seen = restarts === 0 ? text : withDeath(again);
  const hindrance = unit &&
    (isLoaded
      ? missingRequirement(unit, found.detail) ?? missingPart(unit) ??
        (found.isUserMissing ? missingUser(unit) : undefined)
      : unitFailure(unit, found));
  if (hindrance !== undefined) {
    const text = `${seen}; it can't be started again: ${hindrance.text}`;
    return warning(text, ...hindrance.advice);
  }
  if (state.isEnabled === false) return warning(seen, `start it at boot: ${state.enable}`);
  const ofUpdates = updatesResult(seen, state);
  if (ofUpdates !== undefined) return ofUpdates;
  const { programVersion } = found;
  if (programVersion !== undefined && programVersion !== health.version) {
    return warning(
      `${seen}; the agent that runs is of version ${health.version}, and its program on the disk ` +
        `of version ${programVersion}, which the next start takes`,
      `if that is the version that you want, start it: systemctl restart ${state.name}`,
      `else put the other one there: ${install}`,
    );
  }
  const runsForMs = Date.now() - (health.startedAtMs ?? 0);
  const names = ENDING_SETTINGS[state.lastResult] ?? [];
  const limit = unit && underSettings("", unit, names);
  const lately = withDeath(`${again}, the last time ${duration(runsForMs)} ago`);
  if (limit === undefined && KILLED.test(death) && runsForMs < LATELY_KILLED_MS) {
    return warning(
      lately,
      "see whether the kernel has too little memory: free -m; journalctl -k | grep -i oom",
      `see what else has killed it: journalctl -u ${state.name} -n 50`,
    );
  }
  const many = limit === undefined ? MANY_RESTARTS : 1;
  if (unit !== undefined && restarts >= many && runsForMs < LATELY_STARTED_MS) {
    if (limit !== undefined) return warning(lately + limit.text, ...limit.advice);
    const { lastError } = state;
    return lastError === ""
      ? warning(lately, `see why it ended: journalctl -u ${unit.name} -n 50`)
      : warning(
        `${lately}; the last error in its log: ${lastError}`,
        `if that is repaired by now, nothing is left to do; else see more: journalctl -u ${unit.name} -n 50`,
      );
  }
  const { program = "", user = "root" } = found.record ?? {};
  const owner = attempt(() => foreignOwner(program));
  if (owner !== undefined) {
    return warning(
      `${seen}; its program ${program} belongs to another user (id ${owner}), who may put anything there ` +
        "that root's updates run",
      `give it back: chown -R root: ${dirname(program)}`,
    );
  }
  if (unit && found.scope === "system" && isRoot(unit.property("User")) && !isRoot(user)) {
    const set = lastSetting(unit.settings, "User");
    const file = set?.file ?? unit.property("FragmentPath");
    return warning(
      `${seen}; it runs as root, and was installed to run as ${user}: ` +
        (set === undefined ? `there is no User= in ${file}` : settingText(set)),
      changed("correct that setting", { unit, file }),
    );
  }
  return ok(seen);
}

/** What keeps a service from its updates; `undefined` where nothing does. */
function updatesResult(seen: string, state: ServiceState): CheckResult | undefined {
  if (state.updates === "stopped") {
    return warning(
      `${seen}; the timer of its updates is not running`,
      `have it look for updates: ${state.enableUpdates}`,
    );
  }
  if (state.updates !== "failed") return undefined;
  const name = updateServiceName(state.name);
  const ofJob = `${seen}; its last update job failed`;
  const error = state.updatesError;
  return warning(
    error === "" ? ofJob : `${ofJob}: ${error}`,
    /Cannot /.test(error)
      ? `repair that, and have it look again: systemctl start ${name}`
      : `see more in its log: journalctl -u ${name} -n 20`,
  );
}

function isRoot(user: string): boolean {
  return ["", "root", "0"].includes(user);
}

function restartsOf({ property }: LoadedUnit): number {
  return Number(property("NRestarts"));
}

/** Whether a unit whose agent is not seen ends again and again, by how lately systemd has started it. */
function isLooping(unit: LoadedUnit): boolean {
  const startedAtMs = Number(unit.property("ActiveEnterTimestampMonotonic") || -Infinity) / 1_000;
  return restartsOf(unit) >= MANY_RESTARTS && unit.property("ActiveState") !== "inactive" &&
    (unit.property("SubState").startsWith("auto-restart") ||
      Deno.osUptime() * 1_000 - startedAtMs < LATELY_STARTED_MS);
}
