/**
 * The service of an official agent: its record once it was replaced, and its stop and start.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { attempt } from "../attempt.ts";
import { runTools } from "../host/tool_runner.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { removeIfExists } from "../state/atomic_write.ts";
import type { FileStep } from "./install_step.ts";
import { serviceManager } from "./managers.ts";
import {
  type ManagedService,
  type ManagerKind,
  MANAGERS,
  type ServiceManager,
  type ServiceScope,
} from "./service_manager.ts";
import type { TargetSystem } from "./target_system.ts";

/** The service of an official agent. */
export interface OfficialService {
  readonly manager: ManagerKind;
  readonly scope: ServiceScope;
  /** Without the extension of its file. */
  readonly serviceName: string;
}

/** The official agent that was replaced, recorded beside the configuration. */
export interface OfficialRecord extends OfficialService {
  /** Whether the panel accepted this agent in its place. */
  readonly isDone: boolean;
}

/** The path of the record in a configuration folder. */
export function officialRecordPath(folder: string): string {
  return `${folder}/replaced.json`;
}

/** Reads the record; `undefined` when it is missing or invalid. */
export function readOfficialRecord(folder: string): OfficialRecord | undefined {
  const text = attempt(() => Deno.readTextFileSync(officialRecordPath(folder))) ?? "";
  const fields = jsonFields(parseJson(text));
  const manager = MANAGERS.find((kind) => kind === fields.manager);
  const { serviceName, isDone } = fields;
  if (manager === undefined || typeof serviceName !== "string") return undefined;
  const scope = fields.scope === "user" ? "user" : "system";
  return { manager, scope, serviceName, isDone: isDone === true };
}

/** The step that writes the record into a configuration folder. */
export function officialRecordStep(
  folder: string,
  { manager, scope, serviceName, isDone }: OfficialRecord,
): FileStep {
  const fields = { manager, scope, serviceName, isDone };
  const text = `${JSON.stringify(fields, null, 2)}\n`;
  return { do: "file", path: officialRecordPath(folder), text, mode: 0o644 };
}

/** Removes the record if there is one, and its folder if that is empty then. */
export async function removeOfficialRecord(folder: string): Promise<void> {
  await removeIfExists(officialRecordPath(folder));
  await removeIfExists(`${officialRecordPath(folder)}.new`);
  // Unless it is not empty, or missing.
  attempt(() => Deno.removeSync(folder));
}

/** The service manager of an official agent; it has no update job of ours. */
export function officialManager(
  { manager, serviceName: name, scope }: OfficialService,
  { home, uid }: Pick<ManagedService, "home" | "uid">,
): ServiceManager {
  return serviceManager(manager, { name, scope, logFile: "/dev/null", home, uid });
}

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
