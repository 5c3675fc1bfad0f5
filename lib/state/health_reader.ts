/**
 * Reads health files, for the commands that ask how an agent is.
 *
 * It stands apart from the agent's own half, since `node:fs` takes megabytes.
 *
 * @module
 */

import { oneLine } from "../log/redact.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { dirname } from "../parse/path.ts";
import { PROBE_KINDS, type ProbeKind } from "../types.ts";
import {
  HEALTH_BYTES,
  HEALTH_FILE,
  HEALTH_LOCK,
  type PanelHealth,
  type Problem,
  PROBLEM_PARTS,
} from "./health_file.ts";

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
  /** Whether that agent still runs. */
  readonly isRunning: boolean;
}

/** The health of the agent that uses the first of these folders in which there is one. */
export function readHealth(folders: readonly string[]): Health | undefined {
  for (const folder of folders) {
    try {
      const health = readFile(folder);
      if (health !== undefined) return health;
    } catch {
      // There is none in this folder, or it is not for us, or it is just being written.
    }
  }
  return undefined;
}

/** A panel counts as one that works if it has accepted a report within so many intervals. */
const INTERVALS = 3;
const LEAST_ACCEPTED_MS = 30_000;

/** Whether an agent runs whose panel has accepted a report within three intervals, or 30 s. */
export function isReporting(health: Health | undefined): boolean {
  return health?.isRunning === true && isRecent(health.acceptedAtMs, health);
}

/** The panels of an agent that have accepted a report within three intervals, or 30 s, by name. */
export function reportingPanels(health: Health | undefined): ReadonlySet<string> {
  if (health?.isRunning !== true) return new Set();
  const { panels } = health;
  return new Set(panels.filter((it) => isRecent(it.acceptedAtMs, health)).map((it) => it.panel));
}

function isRecent(acceptedAtMs: number | undefined, { intervalMs }: Health): boolean {
  if (acceptedAtMs === undefined) return false;
  // A clock that was set back says nothing about the panel.
  const agoMs = Math.abs(Date.now() - acceptedAtMs);
  return agoMs <= Math.max(INTERVALS * intervalMs, LEAST_ACCEPTED_MS);
}

/**
 * Root looks into folders of others here, so links are not followed, a pipe is not waited for, and
 * the file must be its folder's owner's. That is this user, root, or whom root has given the folder
 * to, as a service's; in a folder that everybody may write to, anybody could pretend to be an agent.
 *
 * @throws {Error} When there is no such file, or it can't be read.
 */
function readFile(folder: string): Health | undefined {
  const descriptor = openSync(`${folder}/${HEALTH_FILE}`, READ_FLAGS);
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile() || stat.size > HEALTH_BYTES) return undefined;
    if (stat.uid !== Deno.lstatSync(folder).uid) return undefined;
    if (stat.uid !== Deno.uid() && stat.uid !== 0 && !isRootsAlone(dirname(folder) || "/")) {
      return undefined;
    }
    // The same file, as the runtime's own handle: only that can be locked.
    using file = Deno.openSync(`${DESCRIPTORS}/${descriptor}`);
    const bytes = new Uint8Array(HEALTH_BYTES);
    const length = file.readSync(bytes) ?? 0;
    const record = parseHealth(new TextDecoder().decode(bytes.subarray(0, length)));
    if (record === undefined) return undefined;
    const { hasPrivateLock, ...health } = record;
    const isHeld = hasPrivateLock ? isPrivateLockHeld(folder, stat.uid) : undefined;
    // Another user could hold this lock: it counts for agents that have no other, and for readers
    // who may not open that.
    return { ...health, isRunning: isHeld ?? !file.tryLockSync(false) };
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Whether an agent holds its private lock; `undefined` when it is not for us, or when others than
 * its owner could hold it too.
 */
function isPrivateLockHeld(folder: string, owner: number): boolean | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(`${folder}/${HEALTH_LOCK}`, READ_FLAGS);
    const stat = fstatSync(descriptor);
    if (!stat.isFile() || stat.uid !== owner || (stat.mode & 0o077) !== 0) return undefined;
    const file = Deno.openSync(`${DESCRIPTORS}/${descriptor}`);
    using _ = file;
    return !file.tryLockSync(false);
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Whether only root can put anything into a folder. */
function isRootsAlone(folder: string): boolean {
  const { uid, mode } = Deno.lstatSync(folder);
  return uid === 0 && ((mode ?? 0) & 0o022) === 0;
}

const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const DESCRIPTORS = Deno.build.os === "linux" ? "/proc/self/fd" : "/dev/fd";

/** `undefined` when an agent has stopped properly. @throws {Error} When no agent has written it. */
function parseHealth(
  text: string,
): Omit<Health, "isRunning"> & { hasPrivateLock: boolean } | undefined {
  const record = jsonFields(parseJson(text));
  const { pid, version, intervalMs, acceptedAtMs, seal = "", isStopped } = record;
  if (isStopped === true) return undefined;
  if (typeof pid !== "number" || typeof version !== "string") throw new TypeError("no agent");
  if (typeof intervalMs !== "number" || typeof seal !== "string") {
    throw new TypeError("no agent");
  }
  if (acceptedAtMs !== undefined && typeof acceptedAtMs !== "number") {
    throw new TypeError("no time");
  }
  const { startedAtMs, panels = [], problems = [] } = record;
  return {
    pid,
    version: oneLine(version),
    startedAtMs: optionalNumber(startedAtMs),
    intervalMs,
    acceptedAtMs,
    seal: oneLine(seal),
    hasPrivateLock: record.hasPrivateLock === true,
    panels: Array.isArray(panels) ? panels.map(parsePanel) : [],
    problems: Array.isArray(problems) ? problems.flatMap(parseProblem) : [],
  };
}

/** None for a part that this version does not know. */
function parseProblem(value: unknown): Problem[] {
  const { part: name, text, sinceMs } = jsonFields(value);
  const part = PROBLEM_PARTS.find((it) => it === name);
  if (part === undefined || typeof text !== "string" || typeof sinceMs !== "number") return [];
  return [{ part, text: oneLine(text), sinceMs }];
}

/** @throws {Error} When no agent has written it. */
function parsePanel(value: unknown): PanelHealth {
  const fields = jsonFields(value);
  const { panel, transport, sinceMs, acceptedAtMs, failures, error, probes } = fields;
  const { kinds, lastMinute, lost, shortConnections } = fields;
  const { text, atMs } = jsonFields(error);
  if (typeof panel !== "string" || typeof sinceMs !== "number") throw new TypeError("no panel");
  return {
    panel: oneLine(panel),
    transport: typeof transport === "string" ? oneLine(transport) : undefined,
    sinceMs,
    acceptedAtMs: optionalNumber(acceptedAtMs),
    failures: optionalNumber(failures) ?? 0,
    error: typeof text === "string" && typeof atMs === "number"
      ? { text: oneLine(text), atMs }
      : undefined,
    probes: optionalNumber(probes) ?? 0,
    kinds: parseKinds(kinds),
    lastMinute: optionalNumber(lastMinute) ?? 0,
    lost: optionalNumber(lost) ?? 0,
    shortConnections: optionalNumber(shortConnections) ?? 0,
  };
}

function parseKinds(value: unknown): Partial<Record<ProbeKind, number>> {
  const kinds = jsonFields(value);
  return Object.fromEntries(
    PROBE_KINDS.flatMap((kind) => {
      const count = optionalNumber(kinds[kind]);
      return count === undefined ? [] : [[kind, count]];
    }),
  );
}

function optionalNumber(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}
