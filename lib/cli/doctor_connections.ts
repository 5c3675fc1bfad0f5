/**
 * The check of `doctor` of the running agent's WebSockets.
 *
 * @module
 */

import { SHORT_CONNECTIONS_LIMIT } from "../panel/link_machine.ts";
import type { PanelHealth } from "../state/health_file.ts";
import type { Health } from "../state/health_reader.ts";
import { closesSoon } from "./agent_problems.ts";
import { type CheckResult, failed, ok, skipped } from "./checks.ts";
import { seconds } from "./doctor_way.ts";

/**
 * The result for WebSockets of the running agent: whether they last.
 *
 * @param proxyVariable The variable that names the proxy on the way, with its file; `undefined` without
 * one.
 */
export function connectionsResult(
  health: Health | undefined,
  proxyVariable: string | undefined,
): CheckResult {
  const closed = health?.panels.filter(closesSoon) ?? [];
  const [first] = closed;
  if (first === undefined) {
    return health === undefined
      ? skipped("no agent is seen to run here")
      : ok("none is closed soon after it opened");
  }
  const names = closed.map(({ panel }) => panel).join(", ");
  const text = [
    `the last ${first.shortConnections} WebSockets to ${names} were closed soon after they opened`,
    ...openText(first),
  ].join("; ");
  // A proxy gives up calls that wait for events by the same limit.
  const late = closed.flatMap(({ error }) => error?.text ?? []).find((it) => /status 504/.test(it));
  if (late !== undefined) {
    return failed(
      `${text}, and a call that waits for the panel's events is given up: ${late}`,
      "have the proxy in front of the panel wait longer (nginx: proxy_read_timeout 60s, or more)",
    );
  }
  const another =
    "see whether the panel shows the node as online while this agent is stopped: another agent, here or " +
    "elsewhere, has the same token then; give each machine a node, and a token, of its own";
  const silent = [
    "see whether a proxy in front of the panel closes what is silent for so long, and have it wait longer " +
    "(nginx: proxy_read_timeout 60s, or more)",
    proxyVariable && `see whether the proxy of ${proxyVariable} closes what is silent`,
  ];
  const restarts = "see on the panel's machine whether the panel starts again and again";
  const lines = isTimedOut(first) ? [...silent, another, restarts] : [another, ...silent, restarts];
  return failed(text, ...lines);
}

/** How long the last of the WebSockets that were closed soon were open. */
function openText({ shortestMs, longestMs }: PanelHealth): string[] {
  if (shortestMs === undefined || longestMs === undefined) return [];
  const [shortest, longest] = [seconds(shortestMs), seconds(longestMs)];
  return [
    shortest === longest
      ? `the last ${SHORT_CONNECTIONS_LIMIT} were open for ${shortest} each`
      : `the last ${SHORT_CONNECTIONS_LIMIT} were open for ${shortest} to ${longest}`,
  ];
}

/**
 * Whether a time-out has closed WebSockets: each was open for the same time. So they are by the official agent
 * with the same token, too, which connects again at its next report, while this one does at once; later on
 * this one waits for a random time before it does.
 */
function isTimedOut(
  { shortConnections = 0, shortestMs = 0, longestMs = Infinity }: PanelHealth,
): boolean {
  return shortConnections >= SHORT_CONNECTIONS_LIMIT + 2 && shortestMs > 500 &&
    longestMs - shortestMs < 200;
}
