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
import { type Backoff, backoffMs } from "../async/backoff.ts";
import type { Config } from "../config/config.ts";
import { hostName } from "../host/local_host.ts";
import { type OfficialFile, readOfficialNode } from "../host/official_files.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { NetDialer } from "../net/dialer.ts";
import type { SystemResolver } from "../net/dns.ts";
import { HttpClient } from "../net/http_client.ts";
import { settlesWithin } from "../async/timeout.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import type { ProblemObserver } from "../state/health_file.ts";
import { stateFolder } from "../state/paths.ts";
import { USER_AGENT } from "../version.ts";
import { LearnedTokenPlace } from "./authentication.ts";
import { CALL_TIMEOUT_MS, STOP_GRACE_MS } from "./call_timeouts.ts";
import { isUnknownMethod } from "./client_v2.ts";
import { createPanelFetch, isHtml, type PanelResponse, statusError } from "./http_exchange.ts";
import { type KnownNode, type NodeCredentials, NodeStore, parseNode } from "./node_store.ts";
import type { PanelObserver } from "./observer.ts";
import { OutageLog } from "./outages.ts";
import { PanelConnection } from "./panel_connection.ts";
import { failureOf, PanelError, type PanelFailure } from "./panel_error.ts";

/** The outcome of an attempt to register. */
export type RegistrationOutcome =
  | { readonly kind: "registered"; readonly node: NodeCredentials }
  /**
   * `refused`: the key is wrong, or registration is disabled at the panel. `doubtful`: the panel may
   * have made a node although no valid answer came.
   */
  | { readonly kind: "refused" | "failed" | "doubtful"; readonly error: PanelError };

const CALL = "register (POST /api/clients/register)";

/** A method that no panel has: a call of it changes nothing. */
const UNKNOWN_METHOD = "agent.noop";

/** The calls about a registration, over the same connection settings as reports. */
export class RegistrationClient {
  readonly #config: Config;
  /** The node's, which the panel prefixes with `Auto-`; a sealed process can't ask for it. */
  readonly #name = hostName();
  readonly #system: SystemResolver | undefined;

  /** @param system How names are resolved. */
  constructor(config: Config, system?: SystemResolver) {
    this.#config = config;
    this.#system = system;
  }

  /**
   * Makes one attempt. A call in flight when `signal` aborts gets a moment to end, because the panel
   * may have made a node already.
   *
   * @throws The signal's reason.
   */
  async register(signal: AbortSignal): Promise<RegistrationOutcome> {
    signal.throwIfAborted();
    const ended = new AbortController();
    const attempt = this.#register(ended.signal);
    const hasEnded = await settlesWithin(attempt, CALL_TIMEOUT_MS.register, { signal });
    if (!hasEnded) await settlesWithin(attempt, STOP_GRACE_MS);
    ended.abort(signal.reason);
    return await attempt;
  }

  async #register(signal: AbortSignal): Promise<RegistrationOutcome> {
    const { endpoint, autoDiscoveryKey: key, headers } = this.#config;
    // A login of a reverse proxy can't be sent: the panel wants the key in the same header.
    const others = headers.filter(([header]) => header.toLowerCase() !== "authorization");
    const dialer = new NetDialer(this.#config, this.#system);
    let isSent = false;
    const client = new HttpClient({
      dialer: {
        async dial(url, options) {
          const dialed = await dialer.dial(url, options);
          isSent = true;
          return dialed;
        },
      },
    });
    try {
      const access = { endpoint, token: key, tokenPlace: new LearnedTokenPlace("header") };
      const headers = [["user-agent", USER_AGENT] as const, ...others];
      const answer = await createPanelFetch(access, { client, headers })({
        name: CALL,
        path: "/api/clients/register",
        query: { name: this.#name },
        method: "POST",
        headers: [["accept", "application/json"], ["content-type", "application/json"]],
        // Panels read the header alone; the official agent sends the key here too.
        body: JSON.stringify({ key }),
        timeoutMs: CALL_TIMEOUT_MS.register,
      }, signal);
      return outcomeOf(answer);
    } catch (error) {
      if (!(error instanceof PanelError)) throw error;
      return { kind: isSent ? "doubtful" : "failed", error };
    } finally {
      client.close();
    }
  }

  /**
   * Whether the panel accepts a token, by a call that does not bring the node online.
   *
   * @throws {PanelError} When that is not clear from its answer.
   * @throws The signal's reason.
   */
  async isTokenKnown(token: string, signal: AbortSignal): Promise<boolean> {
    const { endpoint } = this.#config;
    const connection = new PanelConnection({ endpoint, token }, this.#config, [], this.#system);
    // Panels check the token first, and refuse the method then; those without version 2 are asked
    // for the task list.
    const call = {
      method: UNKNOWN_METHOD,
      params: {},
      timeoutMs: CALL_TIMEOUT_MS.register,
      signal,
    };
    try {
      await connection.clientV2.call(call).catch(async (error) => {
        if (isUnknownMethod(error)) return;
        if (failureOf(error) !== "unsupported protocol") throw error;
        await connection.clientV1.fetchTasks(signal);
      });
      return true;
    } catch (error) {
      if (failureOf(error) === "unauthorized") return false;
      throw error;
    } finally {
      connection.close();
    }
  }
}

/** Status codes of reverse proxies whose panel took too long. */
const LATE = [408, 504, 522, 524];

function outcomeOf(answer: PanelResponse): RegistrationOutcome {
  const { status, text } = answer;
  const failed = (reason: string, failure: PanelFailure, cause?: unknown) =>
    new PanelError(`Cannot ${CALL}: ${reason}`, { failure, status, cause });
  if (status === 401) return { kind: "refused", error: failed("status 401", "unauthorized") };
  if (status === 403) return { kind: "refused", error: statusError(CALL, answer) };
  // A panel that is not set up answers 404 with JSON.
  if (status === 404 && !/^\s*[{[]/.test(text)) {
    const reason = "status 404; is the path of the panel's address right?";
    return { kind: "failed", error: failed(reason, "unavailable") };
  }
  if (status !== 200) {
    const kind = LATE.includes(status) ? "doubtful" : "failed";
    return { kind, error: statusError(CALL, answer) };
  }
  if (isHtml(text)) {
    const reason = "the answer is a page of HTML, not a panel's; is the address right?";
    return { kind: "failed", error: failed(reason, "unreadable") };
  }
  try {
    return { kind: "registered", node: parseRegistration(text) };
  } catch (cause) {
    const error = failed("the answer names no node", "unreadable", cause);
    return { kind: "doubtful", error };
  }
}

/**
 * Parses a panel's response to a registration.
 *
 * @throws {SyntaxError} When it names no node; the message quotes nothing, since the text may hold a
 * token.
 */
export function parseRegistration(text: string): NodeCredentials {
  const { status, data } = jsonFields(parseJson(text));
  return parseNode(status === "success" ? data : undefined);
}

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
  readonly observer?: ProblemObserver | undefined;
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
      const known = this.#parts.store.find(this.endpoint);
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
      this.#log.warning(
        "The panel does not know this node any more; it registers again once a day at most",
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
  const store = new NodeStore(stateFolder(config), {
    ignoreDamage: rediscover,
    copyPath: autoDiscoveryFile,
  });
  const isKnown = store.find(config.endpoint) !== undefined;
  // Before the store opens its copy, which makes an empty file.
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
