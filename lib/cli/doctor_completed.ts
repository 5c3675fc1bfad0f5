/**
 * Checks of `doctor` that are made, in the light of each other.
 *
 * @module
 */

import { type CheckResult, type CompletedCheck, failed, linesOf, withLines } from "./checks.ts";
import type { AgentReports } from "./doctor_agent.ts";
import { enableNow, type FoundService } from "./doctor_found_service.ts";
import { type LoadedUnit, settingNames, unreadText } from "../service/loaded_unit.ts";
import { errorResult } from "./doctor_stopped_service.ts";
import { ofUserManager, restart } from "./doctor_unit_settings.ts";
import { seconds } from "./doctor_way.ts";
import { counted } from "./help.ts";

/** A check that took so long is named where others had no time. */
const SLOW_CHECK_MS = 2_000;

/** How a start of a service would end that ends with this error. */
export function startFailure(
  lastError: string,
  { state, ...found }: FoundService,
): CheckResult | undefined {
  if (state === undefined) return undefined;
  const start = state.isEnabled === false ? enableNow(state) : state.start;
  const failure = errorResult("", { ...found, state: { ...state, start, lastError } });
  // What it says beside the error, too.
  const text = failure.text.replace(/^(?:; the last error in its log)?: /, "");
  return { ...failure, text };
}

/** A check of a service that nothing has started, or that says nothing, with how its start ends. */
export function withStart(
  check: CompletedCheck,
  { failure, error }: { failure: CheckResult; error: string },
): CompletedCheck {
  const text = check.kind === "unstarted"
    ? `${check.text}, and a start would fail: ${failure.text}`
    : check.kind === "unexplained" && !check.text.includes(error)
    ? `${check.text}; started once more, it says: ${failure.text}`
    : undefined;
  return text === undefined
    ? check
    : withLines({ ...check, kind: failure.kind, text }, linesOf(failure));
}

/** A failure for checks that had no time in `allMs`, with those that took it: nothing is known of them. */
export function lateCheck(checks: readonly CompletedCheck[], allMs: number): CompletedCheck[] {
  const late = checks.filter(({ kind }) => kind === "no_time");
  if (late.length === 0) return [];
  const slow = checks.filter(({ ms }) => ms >= SLOW_CHECK_MS).sort((one, other) =>
    other.ms - one.ms
  )
    .slice(0, 3).map(({ title, ms }) => `${title} (${seconds(ms)})`);
  const [load = 0] = Deno.loadavg();
  const text = `${counted(late.length, "check")} had no time within ${seconds(allMs)}`;
  const found = failed(
    slow.length === 0 ? text : `${text}; the longest: ${slow.join(", ")}`,
    `see whether this machine is too busy, whose load is ${load.toFixed(1)}, and try it again: top`,
    "see whether the network loses packets, or answers late: ping -c 20 on the panel's name",
  );
  return [{ id: "time", title: "Time", ms: 0, ...found }];
}

/** Checks of the way to a panel, compared with what the running agent's reports say of the same links. */
export function compareWithReports(
  checks: readonly CompletedCheck[],
  { panel, accepted, failing, explanation }: AgentReports,
): CompletedCheck[] {
  const isReporting = checks.some(({ kind }) => kind === "reporting");
  const isRefused = checks.some(({ id, status }) => id === "token" && status === "failed");
  return checks.map((it) => {
    if (it.kind === "reporting" && isRefused && explanation !== "") {
      return { ...it, text: `${it.text}; ${explanation}` };
    }
    if (it.status !== "failed" || !OF_WAY.includes(it.id)) return it;
    const name = it.panel ?? panel;
    if (!isReporting || failing.has(name)) {
      return accepted.has(name) ? adviseOfEndedPanel(it) : it;
    }
    const text = `${it.text}; the running agent's reports are accepted all the same`;
    const left = linesOf(it).filter((line) => it.ruledOutByReports?.includes(line) !== true);
    const limit = it.id === "connect" ? CONNECTION_LIMIT : undefined;
    return withLines({ ...it, text }, [limit, ...left]);
  });
}

/** A port that refuses a connection, and that was the panel's: what corrects the address is left out. */
function adviseOfEndedPanel(check: CompletedCheck): CompletedCheck {
  const { ruledOutByReports = [] } = check;
  const lines = linesOf(check);
  const left = lines.filter((line) => !ruledOutByReports.includes(line));
  return check.id === "connect" && left.length < lines.length
    ? withLines(check, [
      /a Komari panel answers at/.test(check.text) ? FRONT_ENDED : PANEL_ENDED,
      ...left,
    ])
    : check;
}

const PANEL_ENDED =
  "see on the panel's machine whether the panel has ended, or a server in front of it, and start it, since it " +
  "has accepted reports at this address: systemctl status komari nginx caddy; docker ps -a";
/** Where the panel answers beside it. */
const FRONT_ENDED =
  "see on the panel's machine whether the server in front of the panel has ended, and start it, since it has " +
  "passed on reports at this address: systemctl status nginx caddy; docker ps -a";

/** The advice where one connection works, and a further one does not. */
const CONNECTION_LIMIT =
  "see whether a firewall, here or there, limits how many connections one machine " +
  "may have (connlimit, ct count): nft list ruleset || iptables-save";

/** Links that may be slow, or fail at times, while reports go on. */
const OF_WAY: readonly string[] = ["dns", "connect", "tls", "panel", "round_trip"];

/** Checks that fail by variables and settings of a unit. */
const OF_UNIT: readonly string[] = [
  ...["network", "dns", "connect", "tls", "panel", "token", "service", "state", "ping"],
];

/** Settings and variables by which a service reaches a panel, or is known to it. */
const OF_PANEL =
  /^(?:AGENT_|DENO_|SSL_|NODE_|EnvironmentFile|ExecStart|User|Private(?:Network|Users)|Restrict|IPAddress|Limit)|_PROXY$/i;

/** A check that may have failed by what the files of the unit do not say to systemd yet. */
export function afterReload(check: CompletedCheck, unit: LoadedUnit): CompletedCheck {
  const unread = unreadText(unit);
  if (unread === undefined || check.status !== "failed" || !OF_UNIT.includes(check.id)) {
    return check;
  }
  const { name, unread: settings = [] } = unit;
  const isOfPanel = settings.length === 0 || settingNames(settings).some((it) => OF_PANEL.test(it));
  if (!isOfPanel && !["service", "state", "ping"].includes(check.id)) return check;
  const reload = `have systemd read the unit's files, and see whether that was it (${unread}): ${
    restart(name)
  }`;
  return withLines(check, [reload, ...linesOf(check)]);
}

/** A check whose advice is for a service of a user's own systemd. */
export function ofUserScope(check: CompletedCheck, service: string): CompletedCheck {
  return withLines(check, linesOf(check).map((line) => ofUserManager(line, service)));
}
