/**
 * The command `health`: whether the panel accepts the reports of the agent that runs here.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { type Health, readHealth, reportingWithinMs } from "../state/health_reader.ts";
import {
  agentFolders,
  findService,
  type ServiceState,
  serviceText,
} from "../service/installed_service.ts";
import { agentProblems } from "./agent_problems.ts";
import type { CommandContext } from "./command.ts";
import { jsonText } from "./output.ts";

/** A result for people or programs, and for the exit code. */
export interface HealthResult {
  /** One line for people, or JSON. */
  readonly text: string;
  readonly isHealthy: boolean;
}

/** Prints whether the agent is healthy; the exit code is 0 if it is. */
export async function runHealth(
  config: Config,
  { env, signal, print }: CommandContext,
): Promise<number> {
  const folders = agentFolders(config, env);
  // Of an agent that is seen this says nothing new, and it costs more than all else here.
  const service = readHealth(folders)?.isRunning
    ? undefined
    : await findService(config.serviceName, { env, signal }).catch(() => undefined);
  const { text, isHealthy } = checkHealth(folders, { ...config, service });
  print(text);
  return isHealthy ? 0 : 1;
}

/**
 * Checks whether the agent is reporting: the panel has accepted a report within two intervals and 15 s.
 * With `alive`, only whether it runs.
 *
 * `folders` may hold an agent's health file, the likeliest first; `service` is what runs it.
 */
export function checkHealth(
  folders: readonly string[],
  { json = false, alive = false, service, mistake }: {
    json?: boolean;
    alive?: boolean;
    service?: ServiceState | undefined;
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
      : `a report was accepted ${age(health, nowMs)} ago`);
  const problems = health?.isRunning ? agentProblems(health) : [];
  if (!json) {
    const words = [
      reason,
      ...problems.map(({ text }) => text),
      ...mistake === undefined ? [] : [mistake],
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

/** The problem in words, with the last failure of each panel; `undefined` if there is none. */
export function healthProblem(
  health: Health | undefined,
  nowMs: number,
  service?: ServiceState,
): string | undefined {
  if (health === undefined || !health.isRunning) return lifeProblem(health, service);
  const { acceptedAtMs, intervalMs } = health;
  const reason = failureTexts(health);
  if (acceptedAtMs === undefined) return `no report was accepted yet${reason}`;
  const agoMs = nowMs - acceptedAtMs;
  const maxAgeMs = reportingWithinMs(intervalMs);
  if (agoMs > maxAgeMs) {
    return `the last report was accepted ${age(health, nowMs)} ago, which is more than ` +
      `${maxAgeMs / 1000} s${reason}`;
  }
  // A clock that was set back would otherwise look healthy until it reaches that time again.
  if (agoMs < -maxAgeMs) return "the clock was set back, and no report was accepted since";
  return undefined;
}

/** Why there is no running agent, in words, with its service if that is known; `undefined` if there is one. */
function lifeProblem(
  health: Health | undefined,
  service: ServiceState | undefined,
): string | undefined {
  if (health?.isRunning) return undefined;
  if (health !== undefined) {
    const ended = "the agent exited unexpectedly";
    return service === undefined ? ended : `${ended}; ${serviceText(service)}`;
  }
  if (service === undefined) return "no agent runs here that this user can see";
  return service.isActive
    ? `${serviceText(service)}; its agent is not to be seen: \`doctor\` says why`
    : serviceText(service);
}

/** The last failure of each panel that accepts no reports now. */
function failureTexts({ panels }: Health): string {
  const texts = panels.filter(({ failures }) => failures > 0).flatMap(({ panel, error }) => {
    if (error === undefined) return [];
    return panels.length === 1 ? [error.text] : [`${panel}: ${error.text}`];
  });
  return texts.length === 0 ? "" : `: ${texts.join("; ")}`;
}

function age(health: Health | undefined, nowMs: number): string {
  const seconds = Math.max(0, nowMs - (health?.acceptedAtMs ?? nowMs)) / 1000;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}
