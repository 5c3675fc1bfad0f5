/**
 * Registers this machine at a panel, with the key that the panel gives to all its nodes.
 *
 * Registering can't be undone or asked about: each call makes another node at the panel. So it has to
 * be certain before a call that its answer can be saved, and a call whose answer was lost is repeated
 * after minutes, then hours.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { attempt } from "../attempt.ts";
import { type Backoff, backoffMs } from "../async/backoff.ts";
import type { Config } from "../config/config.ts";
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
import { failureOf, type PanelError } from "./panel_error.ts";
import { RegistrationClient } from "./registration_client.ts";

/** Attempts to register so far. */
export interface RegistrationAttempts {
  /** Failures in a row, other than refusals. */
  readonly failed: number;
  /** Attempts whose answer was lost: each may have made a node at the panel. */
  readonly doubtful: number;
  /** Refusals in a row: further attempts are useless until an administrator changes the key. */
  readonly refused: number;
}

const NO_ATTEMPTS: RegistrationAttempts = { failed: 0, doubtful: 0, refused: 0 };

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

/** Interval at which the lock of another process is tried. */
const LOCK_POLL_MS = 1_000;
/** Interval at which saving a node is tried again. */
const SAVE_RETRY_MS = 60_000;
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
  /** Ends background work, too. */
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
  readonly #refusalLog = new LogRateLimit({ periodMs: 60 * 60_000 });
  readonly #removalLog = LogRateLimit.once();
  readonly #inFlight = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #signal: AbortSignal;
  #node: KnownNode | undefined;
  /** Since when the panel has rejected the token without a break. */
  #rejectedSinceMs: number | undefined;
  /** When it last tried to register again; the panel may have made a node then. */
  #triedAtMs: number | undefined;

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
      // What another process is just writing is read again once that has the lock no more.
      const known = attempt(() => this.#parts.store.find(this.endpoint));
      if (known === undefined) await this.#findLocked();
      else this.#use(known);
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
      this.#track(
        this.#registerAgain().catch((error) => {
          if (this.#signal.aborted) return;
          this.#log.warning("Cannot register again: {error}", { error: describeError(error) });
        }),
      );
    } else if (this.#removalLog.allows()) {
      this.#log.warning(
        "The panel has not known this node for 10 minutes, so it was most likely removed there; " +
          "with --rediscover it registers again",
      );
    }
  }

  /** Stops background work, and resolves when all of it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
    this.#parts.store[Symbol.dispose]();
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#inFlight.add(work);
    await work;
    this.#inFlight.delete(work);
  }

  #use(node: KnownNode): void {
    this.#parts.onToken(node.token);
    this.#node = node;
  }

  async #findLocked(): Promise<void> {
    using _lock = await this.#lock();
    const meanwhile = this.#parts.store.find(this.endpoint);
    if (meanwhile !== undefined) return this.#use(meanwhile);
    await this.#adopt(await this.#importOfficialNode() ?? await this.#register());
  }

  /** Waits until no other process is registering this machine. */
  async #lock(): Promise<Disposable> {
    for (let tries = 0;; tries++) {
      const lock = this.#parts.store.lock();
      if (lock !== undefined) return lock;
      if (tries === 0) {
        this.#log.info("Waiting for another process that registers this machine at the panel");
      }
      await delay(LOCK_POLL_MS, { signal: this.#signal });
    }
  }

  /** Imports the node of an official agent, if the panel knows it. */
  async #importOfficialNode(): Promise<KnownNode | undefined> {
    const { store, client, official } = this.#parts;
    // A machine that has used this agent before has left the official one behind.
    if (official === undefined || store.read().length > 0) return undefined;
    const { path } = official;
    let node: NodeCredentials;
    try {
      node = parseNode(parseJson(official.text));
    } catch (error) {
      this.#log.warning("Cannot import {path}: {error}", { path, error: describeError(error) });
      return undefined;
    }
    await this.#requireWritable();
    for (let failed = 1;; failed++) {
      try {
        const isKnown = await client.isTokenKnown(node.token, this.#signal);
        this.#outages.onOutcome(undefined, "registration");
        this.#log.info(
          isKnown
            ? "Imported the node of the official agent from {path}"
            : "Ignored the node of the official agent in {path}: the panel does not know it",
          { path },
        );
        return isKnown ? { endpoint: this.endpoint, ...node } : undefined;
      } catch (error) {
        this.#signal.throwIfAborted();
        this.#outages.onOutcome(error, "registration");
      }
      await this.#wait({ ...NO_ATTEMPTS, failed });
    }
  }

  async #register(): Promise<KnownNode> {
    let { failed, doubtful, refused } = NO_ATTEMPTS;
    while (true) {
      // Before each attempt: a node that can't be saved would be made again at every start.
      await this.#requireWritable();
      const outcome = await this.#parts.client.register(this.#signal);
      if (outcome.kind === "registered") {
        this.#outages.onOutcome(undefined, "registration");
        this.#parts.observer?.setProblem("registration", undefined);
        return { endpoint: this.endpoint, ...outcome.node, registeredAtMs: Date.now() };
      }
      const { kind, error } = outcome;
      const isRefused = kind === "refused";
      this.#parts.observer?.setProblem("registration", describeError(error));
      // A refusal is an answer.
      this.#outages.onOutcome(isRefused ? undefined : error, "registration");
      if (isRefused) this.#logRefusal(error);
      failed = isRefused ? 0 : failed + 1;
      refused = isRefused ? refused + 1 : 0;
      if (kind === "doubtful") doubtful++;
      await this.#wait({ failed, doubtful, refused });
    }
  }

  #wait(attempts: RegistrationAttempts): Promise<void> {
    return delay(registrationWaitMs(attempts, Math.random()), { signal: this.#signal });
  }

  /** Exiting would not help: a service manager would restart the agent every few seconds. */
  #logRefusal(cause: PanelError): void {
    if (!this.#refusalLog.allows()) return;
    const error = new Error(
      "Cannot register this machine: the panel refuses the key of --auto-discovery, or something " +
        "before the panel does",
      { cause },
    );
    this.#log.error("{error}; trying again within an hour", { error: describeError(error) });
  }

  async #requireWritable(): Promise<void> {
    try {
      await this.#parts.store.checkWritable();
    } catch (cause) {
      throw cannotSave(cause);
    }
  }

  /** Uses and saves a new node; saving is retried in the background. */
  async #adopt(node: KnownNode): Promise<void> {
    const { store } = this.#parts;
    this.#use(node);
    try {
      await store.save(node);
      if (node.registeredAtMs === undefined) return;
      const fields = { uuid: node.uuid, path: store.path };
      this.#log.info("Registered at the panel as node {uuid}; saved in {path}", fields);
    } catch (error) {
      this.#log.error("{error}; until it is saved, a restart makes another node at the panel", {
        error: describeError(error),
      });
      this.#track(this.#saveLater(node));
    }
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

  /** Registers again, or takes the node as which another process has. */
  async #registerAgain(): Promise<void> {
    const { store, client } = this.#parts;
    const lock = store.lock();
    using _ = lock;
    // Another process is registering; its node is read in ten minutes.
    if (lock === undefined) return;
    const saved = store.find(this.endpoint);
    if (saved !== undefined && saved.token !== this.token) {
      this.#use(saved);
      this.#log.info("Another process has registered again; reporting as node {uuid}", {
        uuid: saved.uuid,
      });
      return;
    }
    const lastMs = this.#triedAtMs ?? this.#node?.registeredAtMs ?? -Infinity;
    if (Math.abs(Date.now() - lastMs) < AGAIN_MS) {
      this.#againLog.write(() =>
        this.#log.warning(
          "The panel does not know this node any more; it registers again once a day at most",
        )
      );
      return;
    }
    await store.checkWritable();
    const outcome = await client.register(this.#signal);
    const nowMs = Date.now();
    if (outcome.kind === "registered") {
      this.#triedAtMs = nowMs;
      this.#log.info("The panel has not known this node for 10 minutes: registered again");
      await this.#adopt({ endpoint: this.endpoint, ...outcome.node, registeredAtMs: nowMs });
      return;
    }
    if (outcome.kind === "doubtful") this.#triedAtMs = nowMs;
    throw outcome.error;
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
  const { autoDiscoveryFile, rediscover } = config;
  const store = new NodeStore(stateFolder(config), { ignoreDamage: rediscover });
  const isKnown = store.find(config.endpoint) !== undefined;
  const official = isKnown ? undefined : readOfficialNode({ path: autoDiscoveryFile });
  try {
    await store.open();
  } catch (cause) {
    if (!isKnown) throw cannotSave(cause);
  }
  return new NodeRegistration(config, {
    ...options,
    store,
    client: new RegistrationClient(config, system),
    official,
  });
}
