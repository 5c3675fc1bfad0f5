import { delay } from "@std/async/delay";
import { type Backoff, backoffMs } from "../backoff.ts";
import { readOfficialNode } from "../host/official_files.ts";
import { describeError, getLogger } from "../log/log.ts";
import type { KnownNode, NodeStore } from "./node_store.ts";
import { OutageLog } from "./outages.ts";
import type { PanelError } from "./panel_error.ts";
import { parseOfficialNode, type RegisteredNode, type Registrar } from "./registrar.ts";

/** Attempts to register so far. */
export interface RegistrationAttempts {
  /** Failures in a row, other than refusals. */
  readonly failed: number;
  /** Attempts whose answer was lost: each may have made a node at the panel. */
  readonly doubtful: number;
  /** Refusals in a row: further attempts are useless until an administrator changes the key. */
  readonly refused: number;
}

const USUAL = { baseMs: 1_000, maxMs: 30_000 };
/** A panel that answers too late makes a node in each attempt. */
const IN_DOUBT = { baseMs: 60_000, maxMs: 60 * 60_000 };
const REFUSED = { baseMs: 2 * 60_000, maxMs: 60 * 60_000 };

/** The delay until the next attempt, in milliseconds; `random` is from 0 up to 1. */
export function registrationWaitMs(
  { failed, doubtful, refused }: RegistrationAttempts,
  random: number,
): number {
  const wait = (count: number, delays: Backoff) =>
    count === 0 ? 0 : backoffMs(count - 1, { ...delays, random });
  return Math.max(wait(failed, USUAL), wait(doubtful, IN_DOUBT), wait(refused, REFUSED));
}

/** Settings of a registration. */
export interface NodeRegistrationParts {
  readonly endpoint: string;
  readonly store: Pick<NodeStore, "path" | "read" | "find" | "lock" | "checkWritable">;
  readonly registrar: Pick<Registrar, "register" | "isTokenKnown">;
  /** The file of an official agent; looked for in the usual places when absent. */
  readonly readOfficial?: typeof readOfficialNode;
}

/** Interval at which the lock of another process is tried. */
const LOCK_POLL_MS = 1_000;

/** A refused key is logged once in this time. */
const REFUSAL_LOG_INTERVAL_MS = 60 * 60_000;

/** Determines the node of this machine: known, imported from an official agent, or new. */
export class NodeRegistration {
  readonly #parts: NodeRegistrationParts;
  readonly #log = getLogger("panel");
  readonly #outages = new OutageLog();
  /** When the refusal was logged, on a clock that only runs forward. */
  #refusalLoggedAtMs: number | undefined;

  constructor(parts: NodeRegistrationParts) {
    this.#parts = parts;
  }

  /**
   * Finds the known node, or an official agent's, or registers a new one; tries until there is one.
   * `onNew` is called at once with a node that is not saved yet, under the lock of the store.
   *
   * @throws {Error} When the node can't be saved.
   * @throws The signal's reason when it aborts.
   */
  async findOrRegister(
    onNew: (node: KnownNode) => Promise<void>,
    signal: AbortSignal,
  ): Promise<KnownNode> {
    const { endpoint, store } = this.#parts;
    const before = store.find(endpoint);
    if (before !== undefined) return before;
    using _lock = await this.#lock(signal);
    const meanwhile = store.find(endpoint);
    if (meanwhile !== undefined) return meanwhile;
    const node = await this.#importOfficialNode(signal) ?? await this.#register(signal);
    await onNew(node);
    return node;
  }

  /** Waits until no other process is registering this machine. */
  async #lock(signal: AbortSignal): Promise<Disposable> {
    const { store } = this.#parts;
    for (let looks = 0;; looks++) {
      const lock = store.lock();
      if (lock !== undefined) return lock;
      if (looks === 0) {
        this.#log.info("Waiting for another process that registers this machine at the panel");
      }
      await delay(LOCK_POLL_MS, { signal });
    }
  }

  /** Imports the node of an official agent, if the panel knows it. */
  async #importOfficialNode(signal: AbortSignal): Promise<KnownNode | undefined> {
    const { endpoint, store, registrar, readOfficial = readOfficialNode } = this.#parts;
    // A machine that has used this agent before has left the official one behind.
    const found = store.read().length === 0 ? readOfficial() : undefined;
    if (found === undefined) return undefined;
    const { path } = found;
    let node: RegisteredNode;
    try {
      node = parseOfficialNode(found.text);
    } catch (error) {
      this.#log.warning("Cannot import {path}: {error}", { path, error: describeError(error) });
      return undefined;
    }
    await this.#checkWritable();
    for (let failed = 1;; failed++) {
      try {
        const isKnown = await registrar.isTokenKnown(node.token, signal);
        this.#outages.onOutcome(undefined, "registration");
        this.#log.info(
          isKnown
            ? "Imported the node of the official agent from {path}"
            : "Ignored the node of the official agent in {path}: the panel does not know it",
          { path },
        );
        return isKnown ? { endpoint, ...node } : undefined;
      } catch (error) {
        signal.throwIfAborted();
        this.#outages.onOutcome(error, "registration");
      }
      await delay(registrationWaitMs({ failed, doubtful: 0, refused: 0 }, Math.random()), {
        signal,
      });
    }
  }

  async #register(signal: AbortSignal): Promise<KnownNode> {
    const { endpoint, registrar } = this.#parts;
    let tries: RegistrationAttempts = { failed: 0, doubtful: 0, refused: 0 };
    while (true) {
      // Before each attempt: a node that can't be saved would be made again at every start.
      await this.#checkWritable();
      const outcome = await registrar.register(signal);
      if (outcome.kind === "registered") {
        this.#outages.onOutcome(undefined, "registration");
        return { endpoint, ...outcome.node, registeredAtMs: Date.now() };
      }
      const { failed, doubtful, refused } = tries;
      if (outcome.kind === "refused") {
        tries = { failed: 0, doubtful, refused: refused + 1 };
        this.#refused(outcome.error);
      } else {
        tries = {
          failed: failed + 1,
          doubtful: doubtful + (outcome.isDoubtful ? 1 : 0),
          refused: 0,
        };
        this.#outages.onOutcome(outcome.error, "registration");
      }
      await delay(registrationWaitMs(tries, Math.random()), { signal });
    }
  }

  /** Exiting would not help: a service manager would restart the agent every few seconds. */
  #refused(cause: PanelError): void {
    // A refusal is an answer.
    this.#outages.onOutcome(undefined, "registration");
    const nowMs = performance.now();
    if (nowMs - (this.#refusalLoggedAtMs ?? -Infinity) < REFUSAL_LOG_INTERVAL_MS) return;
    this.#refusalLoggedAtMs = nowMs;
    const error = new Error(
      "Cannot register this machine: the panel refuses the key of --auto-discovery, or something " +
        "before the panel does",
      { cause },
    );
    this.#log.error("{error}; trying again within an hour", {
      error: describeError(error),
    });
  }

  async #checkWritable(): Promise<void> {
    try {
      await this.#parts.store.checkWritable();
    } catch (cause) {
      throw cannotKeep(cause);
    }
  }
}

/** The error when the node can't be saved. */
export function cannotKeep(cause: unknown): Error {
  return new Error(
    "Cannot register this machine: its token can't be saved, and each start would make " +
      "another node; --state-dir names a folder that can be written to",
    { cause },
  );
}
