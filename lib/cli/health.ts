/**
 * The command `health`: whether the agent that runs here gets its reports accepted.
 *
 * @module
 */

import { type Health, readHealth } from "../host/health_file.ts";

/** What is told, and what the exit code is to say. */
export interface ToldHealth {
  /** One line for people, or JSON. */
  readonly text: string;
  readonly isHealthy: boolean;
}

/** A report may be lost now and then; what is missing for longer is missing. */
const PATIENCE_INTERVALS = 3;

/**
 * Tells whether the panel has accepted a report within three intervals.
 *
 * `folders` are those in which an agent may have left its word, the likeliest first. By default it is
 * told for people and for now.
 */
export function tellHealth(
  folders: readonly string[],
  { json = false, nowMs = Date.now() }: { json?: boolean; nowMs?: number } = {},
): ToldHealth {
  const health = readHealth(folders);
  const trouble = troubleOf(health, nowMs);
  const isHealthy = trouble === undefined;
  const told = trouble ?? `a report was accepted ${age(health, nowMs)} ago`;
  if (!json) return { text: `${isHealthy ? "Healthy" : "Unhealthy"}: ${told}\n`, isHealthy };
  const shown = {
    healthy: isHealthy,
    told,
    running: health?.isRunning ?? false,
    ...(health !== undefined && {
      pid: health.pid,
      version: health.version,
      ...(health.intervalMs > 0 && { intervalSeconds: health.intervalMs / 1000 }),
      acceptedAt: health.acceptedAtMs && new Date(health.acceptedAtMs).toISOString(),
    }),
  };
  return { text: JSON.stringify(shown, null, 2) + "\n", isHealthy };
}

/** What is wrong, in words; `undefined` when all is well. */
function troubleOf(health: Health | undefined, nowMs: number): string | undefined {
  if (health === undefined) return "no agent runs here that this user can see";
  if (!health.isRunning) return "the agent has ended without a word";
  const { acceptedAtMs, intervalMs } = health;
  if (acceptedAtMs === undefined) return "no report was accepted yet";
  const agoMs = nowMs - acceptedAtMs;
  const patienceMs = PATIENCE_INTERVALS * intervalMs;
  if (agoMs > patienceMs) {
    return `the last report was accepted ${age(health, nowMs)} ago, which is more than ` +
      `${PATIENCE_INTERVALS} × ${intervalMs / 1000} s`;
  }
  // Otherwise a clock that was set back would let it look well until that time has come again.
  if (agoMs < -patienceMs) return "the clock was set back, and no report was accepted since";
  return undefined;
}

function age(health: Health | undefined, nowMs: number): string {
  const seconds = Math.max(0, nowMs - (health?.acceptedAtMs ?? nowMs)) / 1000;
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}
