import { jsonFields, parseJson } from "../parse/json.ts";

/** A new version on trial, until it is accepted or rolled back. */
export interface Trial {
  readonly from: string;
  readonly to: string;
  /** The new file's; tells whether it is in its place. */
  readonly sha256: string;
  /** How often it was taken up again by another process. */
  readonly resumes: number;
  /** Whether the one before is to be put back. */
  readonly isReturning: boolean;
}

/** The state of updates: an open trial, and versions that failed. */
export interface UpdateState {
  readonly trial?: Trial;
  /** Versions that have failed, the latest last. */
  readonly failed: readonly Rejection[];
}

/** A version that has failed, and when, in milliseconds since 1970. */
export interface Rejection {
  readonly version: string;
  readonly atMs: number;
}

/** After this time the reason why a version did not report may be gone. */
const REJECTION_MS = 7 * 24 * 60 * 60_000;

/** Versions that have failed within a week and are not tried again so far. */
export function rejectedVersions(failed: readonly Rejection[], nowMs: number): string[] {
  // A clock that was set back must not make a rejection last.
  return failed.filter(({ atMs }) => Math.abs(nowMs - atMs) < REJECTION_MS)
    .map(({ version }) => version);
}

/** Nobody publishes so many that fail and that are still offered. */
const MAX_FAILED = 50;
const VERSION = 1;

/** The state as it is written. */
export function formatUpdateState({ trial, failed }: UpdateState): string {
  return JSON.stringify({ version: VERSION, trial, failed: failed.slice(-MAX_FAILED) }) + "\n";
}

/**
 * Parses the output of {@linkcode formatUpdateState}.
 *
 * @throws {SyntaxError} When it is anything else.
 */
export function parseUpdateState(text: string): UpdateState {
  const { version, trial, failed } = jsonFields(parseJson(text));
  const isWhole = version === VERSION && (trial === undefined || isTrial(trial)) &&
    Array.isArray(failed) && failed.length <= MAX_FAILED && failed.every(isRejection);
  if (!isWhole) throw new SyntaxError("Cannot parse the state of updates");
  return { ...(trial !== undefined && { trial }), failed };
}

function isRejection(value: unknown): value is Rejection {
  const { version, atMs } = jsonFields(value);
  return isName(version) && isCount(atMs);
}

function isTrial(value: unknown): value is Trial {
  const { from, to, sha256, resumes, isReturning } = jsonFields(value);
  return isName(from) && isName(to) && typeof sha256 === "string" &&
    /^[0-9a-f]{64}$/.test(sha256) && isCount(resumes) && typeof isReturning === "boolean";
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && Number.isFinite(value);
}

function isName(value: unknown): boolean {
  return typeof value === "string" && value !== "" && value.length <= 100;
}

/** The name of the state in that folder. */
export const UPDATE_STATE = "update";

/**
 * Where updates of a program keep what they remember: beside the program.
 *
 * Write access there means write access to the program. The agent's own folders would not do: an update
 * often runs as root, the agent does not, and must have no say in what root puts where.
 *
 * @param path The program's file.
 */
export function updateFolder(path: string): string {
  return `${path}.update`;
}
