import { delay } from "@std/async/delay";
import { readHealth } from "../host/health_file.ts";

/** How long the panel has for the first report, and how often is looked. */
export interface Patience {
  readonly limitMs: number;
  readonly beatMs: number;
}

/** What users were promised. */
export const USUAL_PATIENCE: Patience = { limitMs: 30_000, beatMs: 250 };

/** Whether the agent that was started since then has had a report accepted, within its time. */
export async function waitForReport(
  { folder, sinceMs, patience }: { folder: string; sinceMs: number; patience: Patience },
  signal: AbortSignal,
): Promise<boolean> {
  for (let waitedMs = 0;; waitedMs += patience.beatMs) {
    const health = readHealth([folder]);
    if (health?.isRunning && (health.acceptedAtMs ?? 0) >= sinceMs) return true;
    if (waitedMs >= patience.limitMs) return false;
    await delay(patience.beatMs, { signal });
  }
}
