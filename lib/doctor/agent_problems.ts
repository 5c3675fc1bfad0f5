import { FILTER_ACTIONS } from "../agent/startup_log.ts";
import { attempt } from "../attempt.ts";
import type { Diagnosis } from "../diagnosis/cause.ts";
import { diagnoseFailure, diagnoseOwn, placesOf, shapeOf } from "../diagnosis/diagnose.ts";
import { SYSTEM_PATH } from "../host/tool_runner.ts";
import { SHORT_CONNECTIONS_LIMIT } from "../panel/link_machine.ts";
import { foreignWords } from "../parse/bounded_text.ts";
import type { PanelHealth, ProblemPart } from "../state/health_file.ts";
import { type Health, reportingWithinMs } from "../state/health_reader.ts";
import type { Identity } from "./rights.ts";

/** Something that a running agent has seen and that does not stop its reports. */
export interface AgentProblem {
  /** A part of the agent, or its connections. */
  readonly part: ProblemPart | "connections";
  readonly text: string;
  /** What to do about it, where the text does not say it. */
  readonly action?: string | undefined;
}

const PARTS: Readonly<Record<ProblemPart, string>> = {
  registration: "this machine can't be registered",
  state: "the month's traffic can't be kept",
  ping: "ICMP probes don't work",
  metrics: "metrics can't be served",
  gpu: "graphics cards can't be measured",
  authorities: "some certificates can't be loaded",
  remote: "remote control is off",
  network: "no traffic is counted",
  disk: "no disk space is counted",
  terminal: "terminals don't work",
};

const ACTIONS: Readonly<Partial<Record<ProblemPart, string>>> = {
  metrics: "free that port, or choose another one by --metrics",
  ...FILTER_ACTIONS,
  remote: "--enable-remote-control turns it on, if that is wanted",
};

const KNOWN_PING = /^"ping" may not open its socket|^there is no "ping"/;

/** The problems that the agent has seen, in the order of its parts. */
export function agentProblems({ problems, panels, stateFolder }: Health): AgentProblem[] {
  return [
    ...panels.filter(closesSoon).map((panel) => {
      const { reason, action } = shortLived(panel);
      const text = panels.length === 1 ? reason : `${panel.panel}: ${reason}`;
      return { part: "connections" as const, text, action };
    }),
    ...problems.map(({ part, text }) => {
      const reason = part === "ping" ? pingProblem(text) : text;
      if (part === "ping" && KNOWN_PING.test(reason)) {
        const known = diagnoseOwn(part, reason);
        return { part, text: `${PARTS[part]}: ${known.reason}`, action: known.action };
      }
      const action = part === "state" || part === "terminal"
        ? diagnoseOwn(part, text, part === "state" ? stateFolder : undefined).action
        : ACTIONS[part];
      return { part, text: `${PARTS[part]}: ${reason}`, ...action !== undefined && { action } };
    }),
  ];
}

/** A program of this machine, as the agent's shell finds it; `undefined` where there is none. */
export function systemProgram(name: string): string | undefined {
  return SYSTEM_PATH.split(":").map((folder) => `${folder}/${name}`)
    .find((file) => attempt(() => Deno.statSync(file).isFile));
}

/** Why no ping can be sent; the shell misses it also where it may not start it, as without /dev/null. */
export function pingProblem(reason: string, file = systemProgram("ping")): string {
  return file !== undefined && /there is no "ping"/.test(reason)
    ? `${file} exists but can't be started`
    : reason.replace(/^Cannot ping \S+: (?=there is no)/, "");
}

/** The problem of a part that a running agent has seen; `undefined` when that works. */
export function seenProblem(health: Health | undefined, part: ProblemPart): string | undefined {
  return health && agentProblems(health).find((problem) => problem.part === part)?.text;
}

/** A count of probes, and which targets of the panels are always lost. */
export function withLostTargets(counts: string, panels: readonly PanelHealth[]): string {
  const targets = panels.flatMap(({ lostTargets = [] }) => lostTargets);
  if (targets.length === 0) return counts;
  const names = targets.map(({ kind, target }) => `${foreignWords(target, 100)} (${kind})`).join(
    ", ",
  );
  return `${counts}; always lost: ${names}`;
}

/** A problem in a check, as that of the running agent. */
export function agentSays(problem: string): string {
  return `the running agent says: ${problem}`;
}

/** Whether WebSockets to a panel are closed again and again soon after they opened. */
export function closesSoon({ shortConnections = 0 }: PanelHealth): boolean {
  return shortConnections >= SHORT_CONNECTIONS_LIMIT;
}

/** Why the WebSockets to a panel do not last. */
export function shortLived(
  { shortConnections: count = 0, shortestMs = 0, longestMs = 0 }: PanelHealth,
): Diagnosis {
  const url = new URL("https://panel");
  const seen = {
    ...{ stage: "short-lived", error: "" } as const,
    shortLived: { count, shortestMs, longestMs },
  };
  const way = { url, proxy: undefined, token: shapeOf(""), sends: [] };
  return diagnoseFailure(seen, { ...way, places: placesOf(new Map(), url) });
}

/** The answer where no agent is seen, and no service that would run one. */
export const NO_AGENT = "no agent of this user runs here, and none is installed as a service";

/** Why the reports of a running agent are not accepted, with the last failure of each panel; `undefined` if they are. */
export function reportProblem(health: Health, nowMs: number): string | undefined {
  const { acceptedAtMs, intervalMs } = health;
  const reason = failureTexts(health);
  if (acceptedAtMs === undefined) return `no report was accepted yet${reason}`;
  const agoMs = nowMs - acceptedAtMs;
  const maxAgeMs = reportingWithinMs(intervalMs);
  if (agoMs > maxAgeMs) {
    return `the last report was accepted ${reportAge(health, nowMs)} ago, which is more than ` +
      `${maxAgeMs / 1000} s${reason}`;
  }
  // A clock that was set back would otherwise look healthy until it reaches that time again.
  if (agoMs < -maxAgeMs) return "the clock was set back, and no report was accepted since";
  return undefined;
}

/** The last failure of each panel that accepts no reports now. */
function failureTexts({ panels }: Health): string {
  const texts = panels.filter(({ failures }) => failures > 0).flatMap(({ panel, error }) => {
    if (error === undefined) return [];
    return panels.length === 1 ? [error.text] : [`${panel}: ${error.text}`];
  });
  return texts.length === 0 ? "" : `: ${texts.join("; ")}`;
}

/** How long ago a panel has accepted a report, in words. */
export function reportAge(health: Health | undefined, nowMs: number): string {
  const seconds = Math.max(0, nowMs - (health?.acceptedAtMs ?? nowMs)) / 1000;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

/** Resident memory of a process, in bytes. */
export function memoryOf(pid: number): number | undefined {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(processStatus(pid)) ?? [];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

/** Whether a signal has stopped a process, until another one lets it go on. */
export function isPaused(pid: number): boolean {
  return /^State:\s+T/m.test(processStatus(pid));
}

/** The user and the groups that a process is, for files; `undefined` where that is not seen. */
export function processIds(pid: number): Identity | undefined {
  const numbers = (name: string) =>
    (new RegExp(`^${name}:(.*)$`, "m").exec(processStatus(pid))?.[1] ?? "").match(/\d+/g)
      ?.map(Number) ?? [];
  // Real, effective, saved, and for files.
  const [, , , uid] = numbers("Uid");
  const [, , , gid] = numbers("Gid");
  return uid === undefined || gid === undefined
    ? undefined
    : { uid, gids: [gid, ...numbers("Groups")] };
}

function processStatus(pid: number): string {
  return attempt(() => Deno.readTextFileSync(`/proc/${pid}/status`)) ?? "";
}
