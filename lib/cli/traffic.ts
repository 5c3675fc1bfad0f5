/**
 * The command `traffic`: shows what is remembered of the month's traffic, and sets it.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import { FolderLock, isFolderLocked } from "../host/state_lock.ts";
import { openMachine, type Platform } from "../metrics/open_machine.ts";
import { formatByteCount } from "../parse/byte_size.ts";
import { billingPeriodAt } from "../traffic/billing_period.ts";
import {
  openMonthlyTraffic,
  type StoredTraffic,
  trafficStateFile,
} from "../traffic/persistent_traffic.ts";
import { formatTrafficState, type TrafficState } from "../traffic/traffic_state.ts";
import type { TrafficBytes } from "../types.ts";

/**
 * Lets root act as a folder's owner from now on, for the rest of the process's life.
 *
 * What root made in an agent's folder the agent could not read, and a link that the agent has put
 * there could lead root anywhere. Nothing changes for others, and where there is no such folder.
 *
 * @throws {Error} When the system does not allow it.
 */
export async function actAsOwner(folder: string): Promise<void> {
  const owner = Deno.uid() === 0 ? ownerOf(folder) : undefined;
  if (owner === undefined || owner.uid === 0) return;
  const { default: process } = await import("node:process");
  // The group first: whoever is not root can't change it any more.
  process.setegid?.(owner.gid);
  process.seteuid?.(owner.uid);
  if (process.geteuid?.() !== owner.uid) {
    throw new Error(`Cannot act as the owner of ${folder}, user ${owner.uid}`);
  }
}

function ownerOf(folder: string): { uid: number; gid: number } | undefined {
  try {
    const { uid, gid } = Deno.statSync(folder);
    return uid === null || gid === null ? undefined : { uid, gid };
  } catch {
    return undefined;
  }
}

/** What ends the command, and what it runs on. */
export interface TrafficOptions extends Platform {
  readonly signal: AbortSignal;
}

/**
 * The month's traffic as it stands now, for people or as JSON.
 *
 * @throws {Error} When nothing is remembered, or what is can't be read.
 */
export async function showTraffic(config: Config, options: TrafficOptions): Promise<string> {
  const file = trafficStateFile(config);
  await actAsOwner(file.folder);
  const { value: state, problems } = file.read();
  if (state === undefined) {
    const why = problems.length === 0 ? `there is no ${file.path}` : problems.join("; ");
    throw new Error(
      `Cannot show the month's traffic: ${why}; an agent with --month-rotate makes it`,
    );
  }
  const total = await withMachine(config, { ...options, state, day: state.day }, ({ traffic }) => {
    return traffic.total();
  });
  return told({ config, total, state, path: file.path, isRunning: isFolderLocked(file.folder) });
}

/**
 * Sets the month's totals in the state, which no agent may be using meanwhile. When it fails, nothing
 * has changed.
 *
 * @throws {UsageError} When the totals are missing, or the day on which they start anew.
 * @throws {Error} When an agent uses the state, or it can't be read or written.
 */
export async function setTraffic(config: Config, options: TrafficOptions): Promise<string> {
  const { up, down } = config.totals;
  if (up === undefined && down === undefined) {
    throw new UsageError(
      "Cannot set the month's traffic: --up BYTES, --down BYTES or both are needed",
    );
  }
  const { folder } = trafficStateFile(config);
  await actAsOwner(folder);
  if (isFolderLocked(folder)) throw agentIsRunning(folder);
  const { value: state } = trafficStateFile(config).read();
  const day = config.monthRotate || (state?.day ?? 0);
  if (day === 0) {
    throw new UsageError(
      "Cannot set the month's traffic: --month-rotate DAY has to say when it starts anew",
    );
  }
  await withMachine(config, { ...options, state, day }, async ({ traffic, file }) => {
    traffic.set({
      ...(up !== undefined && { sentBytes: up }),
      ...(down !== undefined && { receivedBytes: down }),
    });
    const changed = traffic.state();
    if (changed === undefined) throw new Error("Cannot count this machine's traffic");
    using lock = FolderLock.open(folder);
    if (!lock.tryLock()) throw agentIsRunning(folder);
    using opened = file;
    await opened.write(formatTrafficState(changed));
  });
  return await showTraffic(config, options);
}

function agentIsRunning(folder: string): Error {
  return new Error(
    `Cannot set the month's traffic: an agent uses ${folder}; stop it first, and start it again ` +
      "afterwards",
  );
}

/** Looks at the machine once, going on from the state, by the interfaces that it has. */
async function withMachine<T>(
  config: Config,
  options: TrafficOptions & { state: TrafficState | undefined; day: number },
  use: (month: StoredTraffic) => T | Promise<T>,
): Promise<T> {
  const { state, day } = options;
  const known = [...state?.interfaces.keys() ?? []];
  const includeNics = known.length > 0 ? known : config.includeNics;
  const open = await openMachine({ ...config, includeNics }, options);
  try {
    const month = openMonthlyTraffic(config, { day, open });
    if (state !== undefined) month.traffic.restore(state);
    month.traffic.sample();
    return await use(month);
  } finally {
    await open.close?.();
  }
}

function told(
  { config, total, state, path, isRunning }: {
    config: Config;
    total: (TrafficBytes & { start: string }) | undefined;
    state: TrafficState;
    path: string;
    isRunning: boolean;
  },
): string {
  const { sentBytes = 0, receivedBytes = 0, start = state.current.start } = total ?? {};
  const next = billingPeriodAt(billingPeriodAt(Date.now(), state.day).endMs, state.day).start;
  const interfaces = [...state.interfaces.keys()];
  if (config.json) {
    const shown = { since: start, next, up: sentBytes, down: receivedBytes };
    return JSON.stringify({ ...shown, interfaces, state: path, isRunning }, null, 2) + "\n";
  }
  const rows = [
    ["Since", `${start}, next reset ${next}`],
    ["Up", `${formatByteCount(sentBytes)} (${sentBytes} bytes)`],
    ["Down", `${formatByteCount(receivedBytes)} (${receivedBytes} bytes)`],
    ["Interfaces", interfaces.join(", ")],
    ["State", `${path}, ${isRunning ? "an agent is running" : "no agent is running"}`],
  ];
  return rows.map(([name = "", value]) => `${name.padEnd(11)} ${value}\n`).join("");
}
