/**
 * The command `health`: whether the panel accepts the reports of the agent that runs here.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { agentFolders } from "../service/install_record.ts";
import { type Health, readHealth } from "../state/health_reader.ts";
import {
  agentProblems,
  isPaused,
  NO_AGENT,
  reportAge,
  reportProblem,
} from "../doctor/agent_problems.ts";
import type { Finding } from "../doctor/check.ts";
import type { CommandContext } from "./command.ts";
import { jsonText } from "./output.ts";

/** A result for people or programs, and for the exit code. */
export interface HealthResult {
  /** One line for people, or JSON. */
  readonly text: string;
  readonly isHealthy: boolean;
}

/**
 * Prints whether the agent is healthy; the exit code is 0 if it is.
 *
 * @param serviceOf What is said of the service of an agent that is not seen.
 */
export async function runHealth(
  config: Config,
  { env, signal, print }: CommandContext,
  serviceOf: (
    config: Config,
    context: Pick<CommandContext, "env" | "signal">,
  ) => Promise<Finding | undefined>,
): Promise<number> {
  const folders = agentFolders(config, env);
  // Of an agent that is seen this says nothing new, and it costs more than all else here.
  const service = readHealth(folders)?.isRunning
    ? undefined
    : await serviceOf(config, { env, signal });
  const { text, isHealthy } = checkHealth(folders, { ...config, service });
  print(text);
  return isHealthy ? 0 : 1;
}

/**
 * Checks whether the agent is reporting: the panel has accepted a report within two intervals and 15 s.
 * With `alive`, only whether it runs.
 *
 * `folders` may hold an agent's health file, the likeliest first; `service` is what `doctor` says of
 * its service.
 */
export function checkHealth(
  folders: readonly string[],
  { json = false, alive = false, service, mistake }: {
    json?: boolean;
    alive?: boolean;
    service?: Finding | undefined;
    /** What is wrong in its configuration. */
    mistake?: string | undefined;
  } = {},
): HealthResult {
  const health = readHealth(folders);
  const nowMs = Date.now();
  const problem = alive ? lifeProblem(health, service) : healthProblem(health, nowMs, service);
  const isHealthy = problem === undefined;
  const reason = problem ??
    (alive
      ? `the agent runs (process ${health?.pid})`
      : `a report was accepted ${reportAge(health, nowMs)} ago`);
  const problems = health?.isRunning ? agentProblems(health) : [];
  if (!json) {
    const words = [
      reason,
      ...problems.map(({ text }) => text),
      ...mistake === undefined || tells(reason, mistake) ? [] : [mistake],
    ].join("; ");
    return { text: `${isHealthy ? "Healthy" : "Unhealthy"}: ${words}\n`, isHealthy };
  }
  const shown = {
    healthy: isHealthy,
    reason,
    running: health?.isRunning ?? false,
    pid: health?.pid,
    version: health?.version,
    intervalSeconds: health?.intervalMs ? health.intervalMs / 1000 : undefined,
    acceptedAt: health?.acceptedAtMs && new Date(health.acceptedAtMs).toISOString(),
    seal: health?.seal || undefined,
    problems: health && problems,
    configurationError: mistake,
  };
  return { text: jsonText(shown), isHealthy };
}

/** Whether a text tells a mistake, of a file that it may call otherwise. */
export function tells(text: string, mistake: string): boolean {
  return text.includes(mistake.replace(/^Cannot use the installed configuration /, ""));
}

/** The problem in words; `undefined` if there is none. */
export function healthProblem(
  health: Health | undefined,
  nowMs: number,
  service?: Finding,
): string | undefined {
  const problem = lifeProblem(health, service);
  return problem ?? (health && reportProblem(health, nowMs));
}

/** Why no agent goes on, in words, with its service if that is known; `undefined` if one does. */
function lifeProblem(
  health: Health | undefined,
  service: Finding | undefined,
): string | undefined {
  if (health?.isRunning) {
    return isPaused(health.pid)
      ? `process ${health.pid} was stopped by a signal; let it go on: kill -CONT ${health.pid}`
      : undefined;
  }
  const isInstalled = service !== undefined && service.status !== "skipped";
  if (health === undefined) return isInstalled ? service.text : NO_AGENT;
  const ended = "the agent exited unexpectedly";
  return isInstalled ? `${ended}; ${service.text}` : ended;
}
