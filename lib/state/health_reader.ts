/**
 * Reads health files, for the commands that ask how an agent is.
 *
 * It stands apart from the agent's own half, since `node:fs` takes megabytes.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { oneLine } from "../log/redact.ts";
import { jsonFields } from "../parse/json.ts";
import { dirname } from "../parse/path.ts";
import { PROBE_TYPES } from "../types.ts";
import {
  type Failure,
  HEALTH_BYTES,
  HEALTH_FILE,
  HEALTH_LOCK,
  type LostTarget,
  type PanelHealth,
  type Problem,
  PROBLEM_PARTS,
} from "./health_file.ts";
import { RecordFile } from "./record_file.ts";
import { isLocked } from "./state_lock.ts";

// Not by `import … from`, which a bundle would load at every start of the agent.
const { closeSync, constants, fstatSync, openSync } = await import("node:fs");

/** How an agent is, for `health`, `install` and `update`. */
export interface Health {
  readonly pid: number;
  readonly version: string;
  /** Time between two reports; 0 before the first was accepted. */
  readonly intervalMs: number;
  /** When the panel last accepted a report, by this machine's clock; `undefined` before the first. */
  readonly acceptedAtMs: number | undefined;
  /** When the agent was started, in milliseconds since 1970. */
  readonly startedAtMs: number | undefined;
  /** The state of the connection to each panel. */
  readonly panels: readonly PanelHealth[];
  /** Parts that do not work, as the agent has seen it. */
  readonly problems: readonly Problem[];
  /** How the process is sealed, in words; empty before it was decided. */
  readonly seal: string;
  /** The folder where it keeps its state; `undefined` where it keeps none. */
  readonly stateFolder?: string | undefined;
  /** By what the settings of its file are told from others; `undefined` without one. */
  readonly configDigest?: string | undefined;
  /** Whether that agent still runs. */
  readonly isRunning: boolean;
}

/**
 * The health of the agent that uses the first of these folders in which one runs, else of the first
 * that was killed there.
 */
export function readHealth(folders: readonly string[]): Health | undefined {
  let killed: Health | undefined;
  for (const folder of folders) {
    // Where it fails there is none, or it is not for us, or it is just being written.
    const health = attempt(() => readFile(folder));
    if (health?.isRunning) return health;
    killed ??= health;
  }
  return killed;
}

/**
 * A node is reporting if its panel has accepted a report within this time: two intervals and 15 s, since
 * by WebSocket an answer is asked for every 5 s only.
 */
export function reportingWithinMs(intervalMs: number): number {
  return 2 * intervalMs + 15_000;
}

/** Whether an agent runs that is reporting to a panel. */
export function isReporting(health: Health | undefined): boolean {
  return health?.isRunning === true && isRecent(health);
}

/** The names of the panels that an agent is reporting to. */
export function reportingPanels(health: Health | undefined): ReadonlySet<string> {
  if (health?.isRunning !== true) return new Set();
  const { panels } = health;
  return new Set(panels.filter(isRecent).map((it) => it.panel));
}

function isRecent(
  { acceptedAtMs, intervalMs = 0 }: Pick<PanelHealth, "acceptedAtMs" | "intervalMs">,
): boolean {
  if (acceptedAtMs === undefined) return false;
  // A clock that was set back says nothing about the panel.
  const agoMs = Math.abs(Date.now() - acceptedAtMs);
  return agoMs <= reportingWithinMs(intervalMs);
}

/**
 * Root looks into folders of others here, so links are not followed, a pipe is not waited for, and
 * the file must be its folder's owner's. That is this user, root, or whom root has given the folder
 * to, as a service's; in a folder that everybody may write to, anybody could pretend to be an agent.
 *
 * @throws {Error} When there is no such file, or it can't be read.
 */
function readFile(folder: string): Health | undefined {
  using file = openRegular(`${folder}/${HEALTH_FILE}`);
  const { size, uid } = file.statSync();
  if (size > HEALTH_BYTES || uid !== Deno.lstatSync(folder).uid) return undefined;
  if (uid !== Deno.uid() && uid !== 0 && !isRootsAlone(dirname(folder) || "/")) return undefined;
  const health = parseHealth(new RecordFile(file, { maxBytes: HEALTH_BYTES }).read());
  // Another user could hold the file's own lock: it counts for readers who may not open the other.
  const isRunning = isPrivateLockHeld(folder, uid) ?? isLocked(file, { shared: true });
  return health && { ...health, isRunning };
}

/**
 * Whether an agent holds its private lock; `undefined` when it is not for us, or when others than
 * its owner could hold it too.
 */
function isPrivateLockHeld(folder: string, owner: number | null): boolean | undefined {
  try {
    using file = openRegular(`${folder}/${HEALTH_LOCK}`);
    const { uid, mode } = file.statSync();
    if (uid !== owner || ((mode ?? 0) & 0o077) !== 0) return undefined;
    return isLocked(file, { shared: true });
  } catch {
    return undefined;
  }
}

/** Opens a file for reading: a link, a pipe or a device is refused. @throws {Error} When it can't. */
function openRegular(path: string): Deno.FsFile {
  const descriptor = openSync(path, READ_FLAGS);
  try {
    if (!fstatSync(descriptor).isFile()) throw new Error(`${path} is no regular file`);
    // The same file, as the runtime's own handle: only that can be locked.
    return Deno.openSync(`${DESCRIPTORS}/${descriptor}`);
  } finally {
    closeSync(descriptor);
  }
}

/** Whether only root can put anything into a folder. */
function isRootsAlone(folder: string): boolean {
  const { uid, mode } = Deno.lstatSync(folder);
  return uid === 0 && ((mode ?? 0) & 0o022) === 0;
}

const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const DESCRIPTORS = Deno.build.os === "linux" ? "/proc/self/fd" : "/dev/fd";

/** `undefined` when an agent has stopped properly, or none has written it. */
function parseHealth(value: unknown): Omit<Health, "isRunning"> | undefined {
  if (jsonFields(value).isStopped === true) return undefined;
  const found = whole(value, AGENT_FIELDS, ["pid", "intervalMs", "version"]);
  return found && { ...NOTHING, ...found };
}

/** What an agent does not say, as a reader sees it. */
const NOTHING = {
  ...{ seal: "", panels: [], problems: [] },
  ...{ acceptedAtMs: undefined, startedAtMs: undefined },
};

/** Reads each field of an object; absent are those that are not what they should be. */
type Fields<T> = { readonly [K in keyof T]-?: (value: unknown) => T[K] | undefined };

function read<T>(value: unknown, fields: Fields<T>): Partial<T> {
  const given = jsonFields(value);
  const found: Partial<T> = {};
  for (const name in fields) {
    const field = fields[name](given[name]);
    if (field !== undefined) found[name] = field;
  }
  return found;
}

/** Each field of a panel's state, and how it is read: the compiler misses none that is written. */
const PANEL_FIELDS: Fields<PanelHealth> = {
  panel: textOf,
  proxy: textOf,
  transport: textOf,
  sinceMs: numberOf,
  acceptedAtMs: numberOf,
  intervalMs: numberOf,
  failures: numberOf,
  error: (value) => whole(value, FAILURE_FIELDS, ["text", "atMs"]),
  probes: numberOf,
  lastMinute: numberOf,
  lost: numberOf,
  lostTargets: (value) => listOf(value, (it) => whole(it, TARGET_FIELDS)),
  shortConnections: numberOf,
  shortestMs: numberOf,
  longestMs: numberOf,
};

const FAILURE_FIELDS: Fields<Failure> = { text: textOf, action: textOf, atMs: numberOf };

const TARGET_FIELDS: Fields<LostTarget> = {
  kind: (name) => PROBE_TYPES.find((it) => it === name),
  target: textOf,
};

/** A part that this version does not know is none. */
const PROBLEM_FIELDS: Fields<Problem> = {
  part: (name) => PROBLEM_PARTS.find((it) => it === name),
  text: textOf,
  sinceMs: numberOf,
};

const AGENT_FIELDS: Fields<Omit<Health, "isRunning">> = {
  pid: numberOf,
  version: textOf,
  intervalMs: numberOf,
  acceptedAtMs: numberOf,
  startedAtMs: numberOf,
  panels: (value) => listOf(value, parsePanel),
  problems: (value) => listOf(value, (it) => whole(it, PROBLEM_FIELDS)),
  seal: textOf,
  stateFolder: textOf,
  configDigest: textOf,
};

function parsePanel(value: unknown): PanelHealth | undefined {
  const { panel, sinceMs, failures = 0, probes = 0, ...rest } = read(value, PANEL_FIELDS);
  if (panel === undefined || sinceMs === undefined) return undefined;
  return { panel, sinceMs, failures, probes, ...rest };
}

/** What is read of an object that has all of the `needed` fields; `undefined` for another. */
function whole<T>(value: unknown, fields: Fields<T>, needed = Object.keys(fields)): T | undefined {
  const found = read(value, fields);
  const isWhole = (it: Partial<T>): it is T => needed.every((name) => name in it);
  return isWhole(found) ? found : undefined;
}

/** Latest time of a `Date`: a time beyond it can't be shown. */
const MAX_NUMBER = 8.64e15;

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Math.abs(value) <= MAX_NUMBER ? value : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? oneLine(value) : undefined;
}

/** What is read of a list, but for what can't be; `undefined` for nothing. */
function listOf<T>(value: unknown, parse: (value: unknown) => T | undefined): T[] | undefined {
  const list = (Array.isArray(value) ? value : []).flatMap((it) => parse(it) ?? []);
  return list.length === 0 ? undefined : list;
}
