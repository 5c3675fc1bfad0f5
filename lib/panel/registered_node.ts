import { delay } from "@std/async/delay";
import type { ConnectionConfig } from "../config/config.ts";
import type { StatePaths } from "../config/environment.ts";
import { hostName } from "../host/local_host.ts";
import { readOfficialNode } from "../host/official_files.ts";
import { stateFolder } from "../state/paths.ts";
import { describeError, getLogger } from "../log/log.ts";
import { type KnownNode, NodeStore } from "./node_store.ts";
import { PanelError } from "./panel_error.ts";
import { Registrar } from "./registrar.ts";
import { cannotKeep, NodeRegistration } from "./registration.ts";

/** Time for which a panel has to reject the token before that is believed. */
const REJECTED_TOKEN_MS = 10 * 60_000;

/** Detects that a panel has rejected the token for ten minutes without a break. */
export class RejectedTokenTimer {
  readonly #nowMs: () => number;
  #sinceMs: number | undefined;

  /** @param nowMs A clock that only runs forward. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /**
   * Records the outcome of a call, `undefined` for a success; `true` when the ten minutes are over,
   * which restarts them.
   */
  record(error: unknown): boolean {
    const failure = error instanceof PanelError ? error.failure : undefined;
    // A blocked WebSocket says nothing about the token.
    if (failure === "websocket blocked") return false;
    if (failure !== "unauthorized") {
      this.#sinceMs = undefined;
      return false;
    }
    const nowMs = this.#nowMs();
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < REJECTED_TOKEN_MS) return false;
    this.#sinceMs = undefined;
    return true;
  }
}

/** Settings of a node that registers itself. */
export interface AutoDiscoveredNodeParts {
  readonly store: Pick<NodeStore, "path" | "find" | "lock" | "checkWritable" | "save">;
  readonly registrar: Pick<Registrar, "register">;
  /** Whether it may register again when the panel does not know it any more. */
  readonly rediscover: boolean;
  /** Receives each token before it is used or logged. */
  readonly onToken: (token: string) => void;
  readonly signal: AbortSignal;
}

const DAY_MS = 24 * 60 * 60_000;
const SAVE_RETRY_MS = 60_000;

/** A node that has registered itself; its token may change while the agent runs. */
export class AutoDiscoveredNode {
  readonly #parts: AutoDiscoveredNodeParts;
  readonly #log = getLogger("panel");
  readonly #rejectedToken = new RejectedTokenTimer(() => performance.now());
  readonly #inFlight = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #signal: AbortSignal;
  #node: KnownNode;
  #isLogged = false;
  /** When it last tried to register again; the panel may have made a node then. */
  #triedAtMs: number | undefined;

  constructor(node: KnownNode, parts: AutoDiscoveredNodeParts) {
    this.#node = node;
    this.#parts = parts;
    this.#signal = AbortSignal.any([parts.signal, this.#closing.signal]);
    parts.onToken(node.token);
  }

  /** The panel's base URL without a slash at its end. */
  get endpoint(): string {
    return this.#node.endpoint;
  }

  /** The current token. */
  get token(): string {
    return this.#node.token;
  }

  /** Records the outcome of a call to the panel; `undefined` for a success. */
  onOutcome(error: unknown): void {
    if (!this.#rejectedToken.record(error)) return;
    if (this.#parts.rediscover) this.#track(this.#registerAgain());
    else if (!this.#isLogged) {
      this.#isLogged = true;
      this.#log.warning(
        "The panel has not known this node for 10 minutes, so it was most likely removed there; " +
          "with --rediscover it registers again",
      );
    }
  }

  /** Uses and saves a new node; saving is retried in the background. */
  async adopt(node: KnownNode): Promise<void> {
    this.#parts.onToken(node.token);
    const isNew = node.registeredAtMs !== undefined;
    this.#node = node;
    const { path } = this.#parts.store;
    try {
      await this.#parts.store.save(node);
      if (isNew) {
        const { uuid } = node;
        this.#log.info("Registered at the panel as node {uuid}; saved in {path}", { uuid, path });
      }
    } catch (error) {
      this.#log.error("{error}; until it is saved, a restart makes another node at the panel", {
        error: describeError(error),
      });
      this.#track(this.#saveLater(node));
    }
  }

  /** Stops background work, and resolves when all of it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#inFlight.add(work);
    await work;
    this.#inFlight.delete(work);
  }

  async #saveLater(node: KnownNode): Promise<void> {
    const { store } = this.#parts;
    while (!this.#signal.aborted && this.#node === node) {
      await delay(SAVE_RETRY_MS, { signal: this.#signal }).catch(() => {});
      try {
        await store.save(node);
        this.#log.info("Saved the node in {path}", { path: store.path });
        return;
      } catch {
        // The first failure was logged.
      }
    }
  }

  /** Never rejects. */
  async #registerAgain(): Promise<void> {
    try {
      const lock = this.#parts.store.lock();
      using _ = lock;
      // Another process is registering; its node is read in ten minutes.
      if (lock !== undefined) await this.#registerLocked();
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#log.warning("Cannot register again: {error}", { error: describeError(error) });
    }
  }

  async #registerLocked(): Promise<void> {
    const { store, registrar } = this.#parts;
    const saved = store.find(this.endpoint);
    if (saved !== undefined && saved.token !== this.token) {
      this.#parts.onToken(saved.token);
      this.#node = saved;
      this.#log.info("Another process has registered again; reporting as node {uuid}", {
        uuid: saved.uuid,
      });
      return;
    }
    const lastMs = this.#triedAtMs ?? this.#node.registeredAtMs ?? -Infinity;
    if (Math.abs(Date.now() - lastMs) < DAY_MS) {
      this.#log.warning(
        "The panel does not know this node any more; it registers again once a day at most",
      );
      return;
    }
    await store.checkWritable();
    const outcome = await registrar.register(this.#signal);
    if (outcome.kind === "registered") {
      this.#triedAtMs = Date.now();
      this.#log.info("The panel has not known this node for 10 minutes: registered again");
      await this.adopt({
        endpoint: this.endpoint,
        ...outcome.node,
        registeredAtMs: this.#triedAtMs,
      });
      return;
    }
    if (outcome.kind === "failed" && outcome.isDoubtful) this.#triedAtMs = Date.now();
    throw outcome.error;
  }
}

/** The settings of registration. */
export interface RegistrationConfig extends ConnectionConfig, StatePaths {
  readonly endpoint: string;
  readonly autoDiscoveryKey: string;
  readonly rediscover: boolean;
}

/** A machine that registers itself, with everything open that it needs of its files. */
export interface Discovery extends Disposable {
  /**
   * Finds the node that this machine has registered as, or registers it now; `undefined` when
   * `signal` aborts before.
   *
   * @param options `onToken` receives each token before it is used or logged; `signal` also ends later
   * background work.
   * @throws {Error} When the node can't be saved.
   */
  discover(
    options: { readonly onToken: (token: string) => void; readonly signal: AbortSignal },
  ): Promise<AutoDiscoveredNode | undefined>;
}

/**
 * Opens and reads the files about registration before the process is sealed. Nothing is sent yet.
 *
 * @throws {Error} When no node can be saved, and this machine has none yet.
 */
export async function openDiscovery(config: RegistrationConfig): Promise<Discovery> {
  const { endpoint, rediscover } = config;
  const store = new NodeStore(stateFolder(config), { ignoreDamage: rediscover });
  const known = store.find(endpoint);
  try {
    await store.open();
  } catch (cause) {
    if (known === undefined) throw cannotKeep(cause);
  }
  const registrar = new Registrar({
    endpoint,
    key: config.autoDiscoveryKey,
    name: hostName(),
    connection: config,
  });
  const official = known === undefined ? readOfficialNode() : undefined;
  const enrolment = new NodeRegistration({
    endpoint,
    store,
    registrar,
    readOfficial: () => official,
  });
  return {
    async discover({ signal, onToken }) {
      let fresh: AutoDiscoveredNode | undefined;
      const parts = { store, registrar, rediscover, signal, onToken };
      try {
        const node = await enrolment.findOrRegister(async (node) => {
          fresh = new AutoDiscoveredNode(node, parts);
          await fresh.adopt(node);
        }, signal);
        return signal.aborted ? undefined : fresh ?? new AutoDiscoveredNode(node, parts);
      } catch (error) {
        if (signal.aborted) return undefined;
        throw error;
      }
    },
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}
