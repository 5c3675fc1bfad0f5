import { delay } from "@std/async/delay";
import { runTools } from "../host/tool_runner.ts";
import { officialManager } from "./managers.ts";
import type { OfficialService } from "./official_record.ts";
import type { TargetSystem } from "./target_system.ts";

/** A program with invalid settings exits within this time. */
const SETTLE_MS = 3_000;
const POLL_INTERVAL_MS = 500;

/** Time to undo what was interrupted: a service manager waits 90 s for a service to stop. */
export const UNDO_TIMEOUT_MS = 90_000;

/**
 * Stops an official agent until the next boot or start.
 *
 * @throws {Error} When it is still running (`Cannot stop …`).
 */
export async function stopOfficial(
  official: OfficialService,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<void> {
  const { stop, isActive } = officialManager(official, system);
  await runTools(stop, { tools: system.tools, signal });
  const { code } = await system.tools.run(isActive, { signal });
  if (code === 0) throw new Error(`Cannot stop ${official.serviceName}: it is still running`);
}

/**
 * Starts an official agent, now and at boot, and checks that it keeps running.
 *
 * @throws {Error} When it does not.
 */
export async function startOfficial(
  official: OfficialService,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<void> {
  const { enable, restart, isActive } = officialManager(official, system);
  await runTools([...enable, ...restart], { tools: system.tools, signal });
  for (let seenMs = 0; seenMs < SETTLE_MS; seenMs += POLL_INTERVAL_MS) {
    await delay(POLL_INTERVAL_MS, { signal });
    const { code } = await system.tools.run(isActive, { signal });
    if (code === 0) continue;
    const seconds = SETTLE_MS / 1000;
    throw new Error(`Cannot start ${official.serviceName}: it exited within ${seconds} s`);
  }
}
