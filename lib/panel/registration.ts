import { delay } from "@std/async/delay";
import { readOfficialNode } from "../host/official_files.ts";
import { describeError, getLogger } from "../log/log.ts";
import type { KnownNode, NodeStore } from "./node_store.ts";
import { PanelLog } from "./outages.ts";
import type { PanelError } from "./panel_error.ts";
import { parseOfficialNode, type RegisteredNode, type Registrar } from "./registrar.ts";

/** How the tries to register went so far. */
export interface RegistrationAttempts {
  /** Failures in a row, other than refusals. */
  readonly failed: number;
  /** Tries whose answer got lost: each may have left a node at the panel. */
  readonly doubtful: number;
  /** Refusals in a row: nothing comes of a try before somebody sets the panel or the key right. */
  readonly refused: number;
}

/** The longest waits, the first and the slowest; half of each is waited at least. */
interface Waits {
  readonly firstMs: number;
  readonly slowestMs: number;
}

const USUAL: Waits = { firstMs: 1_000, slowestMs: 30_000 };
/** A panel that answers too late would get a node by each try. */
const IN_DOUBT: Waits = { firstMs: 60_000, slowestMs: 60 * 60_000 };
const REFUSED: Waits = { firstMs: 2 * 60_000, slowestMs: 60 * 60_000 };

/** How long to wait for the next try, in milliseconds; `random` is from 0 up to 1. */
export function registrationWaitMs(
  { failed, doubtful, refused }: RegistrationAttempts,
  random: number,
): number {
  const longestMs = Math.max(
    longest(failed, USUAL),
    longest(doubtful, IN_DOUBT),
    longest(refused, REFUSED),
  );
  return longestMs * (0.5 + random / 2);
}

/** Twice as long each time. */
function longest(count: number, { firstMs, slowestMs }: Waits): number {
  return count === 0 ? 0 : Math.min(firstMs * 2 ** (count - 1), slowestMs);
}

/** What an enrolment works with. */
export interface NodeRegistrationParts {
  readonly endpoint: string;
  readonly store: Pick<NodeStore, "path" | "read" | "find" | "lock" | "checkWritable">;
  readonly registrar: Pick<Registrar, "register" | "isTokenKnown">;
  /** The file of an official agent; looked for in the usual places when absent. */
  readonly readOfficial?: typeof readOfficialNode;
}

/** How often it is looked whether another process has registered this machine. */
const LOCK_POLL_MS = 1_000;

/** How often it is told that the panel refuses the key. */
const REFUSAL_LOG_INTERVAL_MS = 60 * 60_000;

/** Finds out as which node this machine reports, and makes it one where it is none yet. */
export class NodeRegistration {
  readonly #parts: NodeRegistrationParts;
  readonly #log = getLogger("panel");
  readonly #outages = new PanelLog();
  /** When it was told that the panel refuses the key, on a clock that only runs forward. */
  #refusalLoggedAtMs: number | undefined;

  constructor(parts: NodeRegistrationParts) {
    this.#parts = parts;
  }

  /**
   * The node: the one that is known, else an official agent's, else a new one; tried until there is
   * one. `onNew` is called at once with one that is not kept yet, under the lock of the store.
   *
   * @throws {Error} When what the panel answers could not be kept.
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

  /** Waits until no other process registers this machine. */
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

  /** The node of an official agent, if the panel knows it. */
  async #importOfficialNode(signal: AbortSignal): Promise<KnownNode | undefined> {
    const { endpoint, store, registrar, readOfficial = readOfficialNode } = this.#parts;
    // Whoever has been at another panel with this agent means what he has left there.
    const found = store.read().length === 0 ? readOfficial() : undefined;
    if (found === undefined) return undefined;
    const { path } = found;
    let node: RegisteredNode;
    try {
      node = parseOfficialNode(found.text);
    } catch (error) {
      this.#log.warning("Cannot take over {path}: {error}", { path, error: describeError(error) });
      return undefined;
    }
    await this.#checkWritable();
    for (let failed = 1;; failed++) {
      try {
        const isKnown = await registrar.isTokenKnown(node.token, signal);
        this.#outages.succeeded("registration");
        this.#log.info(
          isKnown
            ? "Took over the node that the official agent has registered, from {path}"
            : "The panel does not know the node in {path}, which an official agent has left",
          { path },
        );
        return isKnown ? { endpoint, ...node } : undefined;
      } catch (error) {
        signal.throwIfAborted();
        this.#outages.failed("registration", error);
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
      // Before each try: what can't be kept would be a new node at every start.
      await this.#checkWritable();
      const outcome = await registrar.register(signal);
      if (outcome.kind === "registered") {
        this.#outages.succeeded("registration");
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
        this.#outages.failed("registration", outcome.error);
      }
      await delay(registrationWaitMs(tries, Math.random()), { signal });
    }
  }

  /** An end would help nobody: a service manager would start the agent again every few seconds. */
  #refused(cause: PanelError): void {
    // It answers, whatever it says.
    this.#outages.succeeded("registration");
    const nowMs = performance.now();
    if (nowMs - (this.#refusalLoggedAtMs ?? -Infinity) < REFUSAL_LOG_INTERVAL_MS) return;
    this.#refusalLoggedAtMs = nowMs;
    const error = new Error(
      "Cannot register this machine: the panel refuses the key of --auto-discovery, or something " +
        "before the panel does",
      { cause },
    );
    this.#log.error("{error}; trying again, after an hour at most", {
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

/** The error of a machine that can't register, since it could not keep its token. */
export function cannotKeep(cause: unknown): Error {
  return new Error(
    "Cannot register this machine: its token could not be kept, and each start would make " +
      "another node; --state-dir names a folder that can be written to",
    { cause },
  );
}
