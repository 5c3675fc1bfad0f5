/**
 * Registers this machine at a panel, with the key that the panel gives to all its nodes.
 *
 * Registering can't be undone or asked about: each call makes another node at the panel. So it has to
 * be certain before a call that its answer can be saved, and a call whose answer was lost is repeated
 * after minutes, then hours, also across restarts.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { backoffMs } from "../async/backoff.ts";
import type { Config } from "../config/config.ts";
import type { Diagnosis } from "../diagnosis/cause.ts";
import { diagnosisLine } from "../diagnosis/diagnose.ts";
import { type OfficialFile, readOfficialNode } from "../host/official_files.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { SystemResolver } from "../net/dns.ts";
import { parseJson } from "../parse/json.ts";
import type { ProblemObserver } from "../state/health_file.ts";
import { stateFolder } from "../state/paths.ts";
import { type KnownNode, type NodeCredentials, NodeStore, parseNode } from "./node_store.ts";
import type { PanelObserver } from "./observer.ts";
import { OutageLog } from "./outages.ts";
import { failureOf } from "./panel_error.ts";
import { RegistrationClient, type RegistrationOutcome } from "./registration_client.ts";

/** Delays between attempts to register, by how the last one has ended. */
const DELAYS = {
  failed: { baseMs: 1_000, maxMs: 30_000 },
  /** The answer was lost: a panel that answers too late makes a node in each attempt. */
  doubtful: { baseMs: 60_000, maxMs: 60 * 60_000 },
  /** Further attempts are useless until an administrator changes the key. */
  refused: { baseMs: 2 * 60_000, maxMs: 60 * 60_000 },
} as const;

/** The delay after so many attempts in a row that ended so, in milliseconds; `random` is from 0 up to 1. */
export function registrationWaitMs(
  ending: keyof typeof DELAYS,
  count: number,
  random: number,
): number {
  return backoffMs(count - 1, { ...DELAYS[ending], random });
}

/** Time for which a panel has to reject the token before that is believed. */
const REJECTED_TOKEN_MS = 10 * 60_000;
/** Time between two attempts to register again, of which the panel may have made a node. */
const AGAIN_MS = 24 * 60 * 60_000;

/** The files, the calls and the listeners of a {@linkcode NodeRegistration}. */
export interface RegistrationParts {
  readonly store: Pick<NodeStore, keyof NodeStore>;
  readonly client: Pick<RegistrationClient, keyof RegistrationClient>;
  /** The node's file of an official agent. */
  readonly official: OfficialFile | undefined;
  /** Receives each token before it is used or logged. */
  onToken(token: string): void;
  /** Learns why this machine is not registered yet. */
  readonly observer: ProblemObserver | undefined;
  readonly signal: AbortSignal;
}

/** The node of a machine that registers itself: its token may change while the agent runs. */
export class NodeRegistration implements PanelObserver, AsyncDisposable {
  /** The panel's base URL without a slash at its end. */
  readonly endpoint: string;
  readonly #rediscover: boolean;
  readonly #parts: RegistrationParts;
  readonly #log = getLogger("panel");
  /** Once for each day in which it may not register again. */
  readonly #againLog = new LogRateLimit({ periodMs: AGAIN_MS });
  readonly #outages = new OutageLog();
  readonly #removalLog = LogRateLimit.once();
  readonly #closing = new AbortController();
  readonly #signal: AbortSignal;
  #registering: Promise<void> | undefined;
  #node: KnownNode | undefined;
  /** Since when the panel has rejected the token without a break. */
  #rejectedSinceMs: number | undefined;

  constructor(
    { endpoint, rediscover }: { readonly endpoint: string; readonly rediscover: boolean },
    parts: RegistrationParts,
  ) {
    this.endpoint = endpoint;
    this.#rediscover = rediscover;
    this.#parts = parts;
    this.#signal = AbortSignal.any([parts.signal, this.#closing.signal]);
  }

  /** The current token; empty before there is a node. */
  get token(): string {
    return this.#node?.token ?? "";
  }

  /**
   * Finds the node: the known one, an official agent's, or a new one; tries until there is one.
   * `false` when the signal has aborted.
   *
   * @throws {Error} When the node can't be saved.
   */
  async find(): Promise<boolean> {
    try {
      const known = this.#parts.store.find(this.endpoint);
      if (known !== undefined) this.#use(known);
      else await this.#adopt(await this.#importOfficialNode() ?? await this.#register());
    } catch (error) {
      if (!this.#signal.aborted) throw error;
    }
    return !this.#signal.aborted;
  }

  /** Records the outcome of a call; registers again after ten minutes without a known token. */
  onOutcome(error: unknown): void {
    const failure = failureOf(error);
    // A blocked WebSocket says nothing about the token.
    if (failure === "websocket blocked") return;
    const nowMs = performance.now();
    const sinceMs = failure === "unauthorized" ? this.#rejectedSinceMs ?? nowMs : undefined;
    this.#rejectedSinceMs = sinceMs;
    if (sinceMs === undefined || nowMs - sinceMs < REJECTED_TOKEN_MS) return;
    this.#rejectedSinceMs = undefined;
    if (this.#rediscover) {
      this.#registering ??= this.#registerAgain().catch((error) => {
        if (this.#signal.aborted) return;
        this.#log.warning("Cannot register again: {error}", { error: describeError(error) });
      }).finally(() => this.#registering = undefined);
    } else if (this.#removalLog.allows()) {
      this.#log.warning(
        "The panel has not known this node for 10 minutes, so it was most likely removed there; " +
          "with --rediscover it registers again",
      );
    }
  }

  /** Resolves when an attempt under way has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#registering;
    this.#parts.store[Symbol.dispose]();
  }

  #use(node: KnownNode): void {
    this.#parts.onToken(node.token);
    this.#node = node;
  }

  /** Imports the node of an official agent, if the panel knows it. */
  async #importOfficialNode(): Promise<KnownNode | undefined> {
    const { store, client, official } = this.#parts;
    // A machine that has used this agent before has left the official one behind.
    if (official === undefined || store.read().nodes.length > 0) return undefined;
    const { path } = official;
    let node: NodeCredentials;
    try {
      node = parseNode(parseJson(official.text));
    } catch (error) {
      this.#log.warning("Cannot import {path}: {error}", { path, error: describeError(error) });
      return undefined;
    }
    this.#parts.onToken(node.token);
    for (let failed = 1;; failed++) {
      try {
        const isKnown = await client.isTokenKnown(node.token, this.#signal);
        this.#tell(undefined);
        this.#log.info(
          isKnown
            ? "Imported the node of the official agent from {path}"
            : "Ignored the node of the official agent in {path}: the panel does not know it",
          { path },
        );
        return isKnown ? { endpoint: this.endpoint, ...node } : undefined;
      } catch (error) {
        this.#signal.throwIfAborted();
        this.#tell(error);
      }
      await this.#wait("failed", failed);
    }
  }

  async #register(): Promise<KnownNode> {
    let last: "failed" | "refused" = "failed";
    for (let count = 1;; count++) {
      const doubtful = this.#parts.store.doubtful(this.endpoint);
      if (doubtful !== undefined) await this.#waitInDoubt(doubtful);
      const outcome = await this.#attempt();
      if (outcome.kind === "registered") {
        this.#tell(undefined);
        return this.#newNode(outcome.node);
      }
      this.#tell(outcome.error);
      const ending = outcome.kind === "refused" ? "refused" : "failed";
      if (ending !== last) count = 1;
      last = ending;
      await this.#wait(ending, count);
    }
  }

  /**
   * Makes one attempt, which counts as doubtful until its outcome is known: a node that can't be saved would
   * be made at each start, so that is saved first.
   */
  async #attempt(): Promise<RegistrationOutcome> {
    const { endpoint } = this;
    const { store, client } = this.#parts;
    const before = store.doubtful(endpoint);
    try {
      const count = (before?.count ?? 0) + 1;
      await store.setDoubtful({ endpoint, count, atMs: Date.now() });
    } catch (cause) {
      throw cannotSave(cause);
    }
    const outcome = await client.register(this.#signal);
    const isClear = outcome.kind === "refused" || outcome.kind === "failed";
    if (isClear) await store.setDoubtful(before);
    return outcome;
  }

  #newNode(node: NodeCredentials): KnownNode {
    return { endpoint: this.endpoint, ...node, registeredAtMs: Date.now() };
  }

  /** Lets the log and the observer know how an attempt has ended. */
  #tell(error: unknown): void {
    const diagnosis: Diagnosis | undefined = error === undefined
      ? undefined
      : this.#parts.client.diagnose(error);
    this.#outages.onOutcome(error, "registration", diagnosis);
    const problem = diagnosis === undefined ? describeError(error) : diagnosisLine(diagnosis);
    this.#parts.observer?.setProblem("registration", error === undefined ? undefined : problem);
  }

  #wait(ending: "failed" | "refused", count: number): Promise<void> {
    return delay(registrationWaitMs(ending, count, Math.random()), { signal: this.#signal });
  }

  /** Waits as long as an attempt demands that may have made a node, also in an agent before this one. */
  async #waitInDoubt({ count, atMs }: { count: number; atMs: number }): Promise<void> {
    const waitMs = registrationWaitMs("doubtful", count, Math.random());
    // A clock that was set back makes it no longer.
    const restMs = Math.min(atMs + waitMs - Date.now(), waitMs);
    if (restMs <= 0) return;
    const minutes = Math.ceil(restMs / 60_000);
    this.#log.info(
      "Registering in {minutes} min: the answer to the last attempt was lost, and the panel may have created a node",
      { minutes },
    );
    await delay(restMs, { signal: this.#signal });
  }

  /** Uses and saves a new node. */
  async #adopt(node: KnownNode): Promise<void> {
    const { store } = this.#parts;
    this.#use(node);
    try {
      await store.save(node);
      if (node.registeredAtMs === undefined) return;
      const fields = { uuid: node.uuid, path: store.path };
      this.#log.info("Registered at the panel as node {uuid}; saved in {path}", fields);
    } catch (error) {
      this.#log.error("{error}; a restart creates another node at the panel", {
        error: describeError(error),
      });
    }
  }

  async #registerAgain(): Promise<void> {
    const doubtful = this.#parts.store.doubtful(this.endpoint);
    const lastMs = Math.max(doubtful?.atMs ?? -Infinity, this.#node?.registeredAtMs ?? -Infinity);
    if (Math.abs(Date.now() - lastMs) < AGAIN_MS) {
      this.#againLog.write(() =>
        this.#log.warning(
          "The panel does not know this node any more; it registers again once a day at most",
        )
      );
      return;
    }
    const outcome = await this.#attempt();
    if (outcome.kind !== "registered") throw outcome.error;
    this.#log.info("The panel has not known this node for 10 minutes: registered again");
    await this.#adopt(this.#newNode(outcome.node));
  }
}

function cannotSave(cause: unknown): Error {
  return new Error(
    "Cannot register this machine: its token can't be saved, and each start would make " +
      "another node; --state-dir names a folder that can be written to",
    { cause },
  );
}

/**
 * Opens and reads the files about registration before the process is sealed. Nothing is sent yet.
 *
 * @throws {Error} When no node can be saved, and this machine has none yet.
 */
export async function openRegistration(
  config: Config,
  options: Pick<RegistrationParts, "onToken" | "observer" | "signal">,
  system?: SystemResolver,
): Promise<NodeRegistration> {
  const { autoDiscoveryFile: path, rediscover, endpoint } = config;
  const store = new NodeStore(stateFolder(config), { ignoreDamage: rediscover });
  const isKnown = store.find(endpoint) !== undefined;
  const official = isKnown ? undefined : readOfficialNode({ path });
  try {
    await store.open();
  } catch (cause) {
    if (!isKnown) throw cannotSave(cause);
  }
  const client = new RegistrationClient(config, system);
  return new NodeRegistration(config, { ...options, store, client, official });
}
