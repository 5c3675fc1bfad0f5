/**
 * The commands `traffic show` and `traffic set`.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import { readHealth } from "../state/health_reader.ts";
import { runtimeFolders } from "../state/paths.ts";
import { FolderLock, isFolderLocked } from "../state/state_lock.ts";
import { openMachine } from "../metrics/open_machine.ts";
import { escapeGlob } from "../parse/glob.ts";
import { formatByteCount } from "../parse/quantity.ts";
import { billingPeriodAt } from "../traffic/billing_period.ts";
import {
  openMonthlyTraffic,
  type StoredTraffic,
  trafficStateFile,
} from "../traffic/persistent_traffic.ts";
import { type TrafficRequest, TrafficRequestFile } from "../state/traffic_request.ts";
import { formatTrafficState, type TrafficState } from "../traffic/traffic_state.ts";
import { type CommandContext, supportedPlatform } from "./command.ts";
import { jsonText } from "./output.ts";

/** Prints the month's traffic. */
export async function runTrafficShow(config: Config, { print }: CommandContext): Promise<number> {
  print(await showTraffic(config));
  return 0;
}

/** Sets the month's traffic, and prints it and what was done. */
export async function runTrafficSet(
  config: Config,
  { print, signal }: CommandContext,
): Promise<number> {
  const { intervalMs = 0 } = readHealth(runtimeFolders(config)) ?? {};
  const doneBy = await setTraffic(config, { intervalMs, signal });
  if (!config.json) print(`${doneBy === "agent" ? TEXTS.agent : TEXTS.state}\n`);
  print(await showTraffic(config, doneBy));
  return 0;
}

const TEXTS = {
  agent: "The running agent uses these totals from now on.",
  state: "No agent is running; the next one starts with these totals.",
} as const;

/**
 * Turns root into a folder's owner for the rest of the process's life.
 *
 * The agent could not read files that root makes in its folder, and a link that the agent has made
 * there could lead root anywhere. Does nothing for other users, and if there is no such folder.
 *
 * @throws {Error} When the system does not allow it.
 */
export async function dropToOwner(folder: string): Promise<void> {
  if (Deno.uid() !== 0) return;
  const { uid, gid } = attempt(() => Deno.statSync(folder)) ?? { uid: null, gid: null };
  if (uid === null || gid === null || uid === 0) return;
  const { default: process } = await import("node:process");
  // The group first: another user than root can't change it any more.
  process.setegid?.(gid);
  process.seteuid?.(uid);
  if (process.geteuid?.() !== uid) {
    throw new Error(`Cannot act as the owner of ${folder}, user ${uid}`);
  }
}

/**
 * The month's traffic so far, for people or as JSON.
 *
 * @throws {Error} When there is no state, or it can't be read.
 */
async function showTraffic(config: Config, doneBy?: Setter): Promise<string> {
  const file = trafficStateFile(config);
  await dropToOwner(file.folder);
  const { value: state, problems } = file.read();
  if (state === undefined) {
    const why = problems.length === 0 ? `there is no ${file.path}` : problems.join("; ");
    throw new Error(
      `Cannot show the month's traffic: ${why}; an agent with --month-rotate makes it`,
    );
  }
  const { day } = state;
  const total = await withMachine(config, { state, day }, ({ traffic }) => traffic.total());
  const { sentBytes = 0, receivedBytes = 0, start = state.current.start } = total ?? {};
  const period = billingPeriodAt(Date.now(), day);
  const next = billingPeriodAt(period.endMs, day).start;
  const interfaces = [...state.interfaces.keys()];
  const isRunning = isFolderLocked(file.folder);
  if (config.json) {
    const shown = { since: start, next, up: sentBytes, down: receivedBytes };
    return jsonText({ ...shown, interfaces, state: file.path, isRunning, setBy: doneBy });
  }
  const rows = [
    ["Since", `${start}, next reset ${next}`],
    ["Up", `${formatByteCount(sentBytes)} (${sentBytes} bytes)`],
    ["Down", `${formatByteCount(receivedBytes)} (${receivedBytes} bytes)`],
    ["Interfaces", interfaces.join(", ") || "none"],
    ["State", `${file.path}, ${isRunning ? "an agent is running" : "no agent is running"}`],
  ];
  return rows.map(([name = "", value]) => `${name.padEnd(11)} ${value}\n`).join("");
}

/** Who has set the totals: the running agent, or this command in the state of none. */
type Setter = "agent" | "command";

/**
 * Sets the month's totals: the running agent takes them over with its next report; without one, they
 * are set in its state. When it fails, nothing has changed.
 *
 * @param options `intervalMs`: time between two reports of the agent, 0 if it is unknown.
 * @throws {UsageError} When the totals or the day on which they are reset are missing, or the day is
 * another one than the running agent's.
 * @throws {Error} When the agent does not take them over, or the state can't be read or written.
 */
async function setTraffic(
  config: Config,
  { intervalMs, signal }: { intervalMs: number; signal: AbortSignal },
): Promise<Setter> {
  const { upBytes: up, downBytes: down } = config;
  if (up === undefined && down === undefined) {
    throw new UsageError(
      "Cannot set the month's traffic: --up BYTES, --down BYTES or both are needed",
    );
  }
  const total = {
    ...(up !== undefined && { sentBytes: up }),
    ...(down !== undefined && { receivedBytes: down }),
  };
  const { folder } = trafficStateFile(config);
  await dropToOwner(folder);
  const { value: state } = trafficStateFile(config).read();
  const day = config.monthRotate || (state?.day ?? 0);
  if (isFolderLocked(folder)) {
    if (state !== undefined && day !== state.day) {
      throw new UsageError(
        `Cannot set the month's traffic for day ${day}: the running agent resets it on day ` +
          `${state.day}; \`install --month-rotate ${day}\` changes that`,
      );
    }
    await askAgent(folder, { total, intervalMs, signal });
    return "agent";
  }
  if (day === 0) {
    throw new UsageError(
      "Cannot set the month's traffic: --month-rotate DAY must say when it is reset",
    );
  }
  await withMachine(config, { state, day }, async ({ traffic, file }) => {
    traffic.set(total);
    const changed = traffic.state();
    if (changed === undefined) throw new Error("Cannot count this machine's traffic");
    const lock = FolderLock.open(folder);
    using _lock = lock;
    if (!lock.tryLock()) throw agentIsRunning(folder);
    using _file = file;
    await file.write(formatTrafficState(changed));
  });
  return "command";
}

/** An agent takes a request over within an interval; one that takes longer gets a moment more. */
const MIN_WAIT_MS = 15_000;
const POLL_INTERVAL_MS = 200;

/**
 * Asks the running agent to set the totals, and waits until it has written them.
 *
 * @throws {Error} When it does not within two intervals; the request is withdrawn then.
 */
async function askAgent(
  folder: string,
  { total, intervalMs, signal }: {
    total: TrafficRequest["total"];
    intervalMs: number;
    signal: AbortSignal;
  },
): Promise<void> {
  const requests = TrafficRequestFile.open(folder);
  if (requests === undefined) throw agentIsRunning(folder);
  using _ = requests;
  const id = crypto.randomUUID();
  const waitMs = Math.max(MIN_WAIT_MS, 2 * intervalMs);
  requests.ask({ id, total });
  try {
    for (let waitedMs = 0; waitedMs < waitMs; waitedMs += POLL_INTERVAL_MS) {
      const problem = requests.answerTo(id);
      if (problem === "") return;
      if (problem !== undefined) {
        throw new Error(`The agent has set the totals, but can't keep them: ${problem}`);
      }
      await delay(POLL_INTERVAL_MS, { signal });
    }
  } finally {
    requests.clear();
  }
  throw new Error(
    `Cannot set the month's traffic: the agent that uses ${folder} did not answer within ` +
      `${waitMs / 1000} s; stop it, run this again, and start it`,
  );
}

function agentIsRunning(folder: string): Error {
  return new Error(
    `Cannot set the month's traffic: an agent uses ${folder}; stop it first, and start it again ` +
      "afterwards",
  );
}

/** Measures the machine once, continuing from the state, with the interfaces that it has. */
async function withMachine<T>(
  config: Config,
  { state, day }: { state: TrafficState | undefined; day: number },
  use: (month: StoredTraffic) => T | Promise<T>,
): Promise<T> {
  const known = Array.from(state?.interfaces.keys() ?? [], escapeGlob);
  const includeNics = known.length > 0 ? known : config.includeNics;
  const machine = await openMachine({ ...config, includeNics }, supportedPlatform());
  try {
    const month = openMonthlyTraffic(config, { day, machine });
    if (state !== undefined) month.traffic.restore(state);
    month.traffic.sample();
    return await use(month);
  } finally {
    await machine.close?.();
  }
}
