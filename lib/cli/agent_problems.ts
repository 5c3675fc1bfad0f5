import { SHORT_CONNECTIONS_LIMIT } from "../panel/link_machine.ts";
import type { PanelHealth, ProblemPart } from "../state/health_file.ts";
import type { Health } from "../state/health_reader.ts";

/** Something that a running agent has seen and that does not stop its reports. */
export interface AgentProblem {
  /** A part of the agent, or its connections. */
  readonly part: ProblemPart | "connections";
  readonly text: string;
}

const PARTS: Readonly<Record<ProblemPart, string>> = {
  registration: "this machine can't be registered",
  state: "the month's traffic can't be kept",
  ping: "ICMP probes don't work",
  metrics: "metrics can't be served",
  gpu: "graphics cards can't be measured",
  authorities: "some certificates can't be loaded",
};

/** The problems that the agent has seen, in the order of its parts. */
export function agentProblems({ problems, panels }: Health): AgentProblem[] {
  return [
    ...panels.filter(closesSoon).map(({ panel, shortConnections }) => ({
      part: "connections" as const,
      text: `${panels.length === 1 ? "the panel" : panel} closed the last ${shortConnections} ` +
        "connections soon after they opened; `doctor` names what may be the cause",
    })),
    ...problems.map(({ part, text }) => ({ part, text: `${PARTS[part]}: ${text}` })),
  ];
}

/** The problem of a part that a running agent has seen; `undefined` when that works. */
export function seenProblem(health: Health | undefined, part: ProblemPart): string | undefined {
  return health && agentProblems(health).find((problem) => problem.part === part)?.text;
}

/** A count of probes, and which targets of the panels are always lost. */
export function withLostTargets(counts: string, panels: readonly PanelHealth[]): string {
  const targets = panels.flatMap(({ lostTargets = [] }) => lostTargets);
  const all = panels.reduce((sum, { alwaysLost = 0 }) => sum + alwaysLost, 0);
  if (all === 0) return counts;
  const names = targets.map(({ kind, target }) => `${target} (${kind})`).join(", ");
  if (targets.length === 0) return `${counts}; ${all} targets are always lost`;
  const more = all - targets.length;
  return more > 0
    ? `${counts}; always lost: ${names}, and ${more} more`
    : `${counts}; always lost: ${names}`;
}

/** A problem in a check, as that of the running agent. */
export function agentSays(problem: string): string {
  return `the running agent says: ${problem}`;
}

/** Whether WebSockets to a panel are closed again and again soon after they opened. */
export function closesSoon({ shortConnections = 0 }: PanelHealth): boolean {
  return shortConnections >= SHORT_CONNECTIONS_LIMIT;
}
