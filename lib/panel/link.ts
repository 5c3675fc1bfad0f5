import { abortable } from "@std/async/abortable";
import type { Config } from "../config/config.ts";
import { getLogger, roundMs } from "../log/log.ts";
import { AnswerRequests, AnswerTimeout } from "./answer_timing.ts";
import { LinkLog } from "./link_log.ts";
import {
  INITIAL_LINK,
  type LinkEffect,
  type LinkEvent,
  type LinkSettings,
  type LinkState,
  type ReportFailure,
  stepLink,
} from "./link_machine.ts";
import { longPoll } from "./long_poll.ts";
import { MessageReceiver } from "./message_receiver.ts";
import type { PanelOrder } from "./orders.ts";
import type { PanelConnection } from "./panel_connection.ts";
import { failureOf, PanelError } from "./panel_error.ts";
import { PanelSocket } from "./panel_socket.ts";
import type { WireReport } from "./protocol.ts";
import { isSameTransport, type Transport, transportName } from "./transport.ts";

/** Timeout of a report that finds out whether POST works. */
const TRIAL_TIMEOUT_MS = 6_000;
/** Timeout of the ping that goes with each report of version 1 by WebSocket. */
const PONG_TIMEOUT_MS = 5_000;

/** The owner of a link, which reports by it and handles orders; its methods must not throw. */
export interface LinkOwner {
  /** A report is wanted now by this transport, which is new or tried: {@linkcode PanelLink.sendReport}. */
  report(transport: Transport): void;
  /** Reports have to be sent by this transport from now on; `undefined` during an outage. */
  onTransport(transport: Transport | undefined): void;
  /** Handles an order of the panel. */
  onOrder(order: PanelOrder): void;
  /** The panel has not answered in time: other connections to it are likely to be dead, too. */
  onDeadConnection(): void;
}

/** Sends reports to the panel by the best transport that works, and receives its orders. */
export class PanelLink {
  readonly #connection: PanelConnection;
  readonly #owner: LinkOwner;
  readonly #settings: LinkSettings;
  /** Ends the link; the calls in flight have a moment more. */
  readonly #signal: AbortSignal;
  readonly #log = getLogger("panel");
  /** What debug alone shows costs an ordinary report nothing. */
  readonly #isVerbose: boolean;
  readonly #receiver: MessageReceiver;
  readonly #linkLog: LinkLog;
  readonly #answerTimeout = new AnswerTimeout();
  readonly #answerRequests = new AnswerRequests();
  readonly #inFlight = new Set<Promise<boolean>>();
  #state: LinkState = INITIAL_LINK;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #longPoll: AbortController | undefined;

  constructor(
    connection: PanelConnection,
    owner: LinkOwner,
    { settings, signal }: {
      settings: LinkSettings & Pick<Config, "logLevel">;
      signal: AbortSignal;
    },
  ) {
    this.#connection = connection;
    this.#owner = owner;
    this.#settings = settings;
    this.#isVerbose = settings.logLevel === "debug";
    this.#signal = signal;
    this.#receiver = new MessageReceiver(
      connection.limit,
      (order) => owner.onOrder(order),
    );
    this.#linkLog = new LinkLog(connection, { version: settings.protocolVersion });
  }

  /** Runs until the signal aborts, and the reports in flight have ended or were aborted. */
  async run(): Promise<void> {
    if (this.#signal.aborted) return;
    const stopped = Promise.withResolvers<void>();
    this.#signal.addEventListener("abort", () => stopped.resolve(), { once: true });
    this.#dispatch({ kind: "start" });
    await stopped.promise;
    this.#longPoll?.abort();
    clearTimeout(this.#retryTimer);
    // Those by WebSocket end with it, and results of commands may still need it.
    await abortable(Promise.all(this.#inFlight), this.#connection.calls).catch(() => {});
  }

  /**
   * Sends a report, after which the next one is due in `intervalMs`; whether the panel has accepted it
   * or was not asked. Never rejects.
   */
  async sendReport(
    report: WireReport,
    options: { transport: Transport; intervalMs: number },
  ): Promise<boolean> {
    const { transport, intervalMs } = options;
    // By POST each report is answered.
    const isAnswered = transport.carrier === "POST" ||
      this.#connection.acknowledgements.hasPending ||
      this.#answerRequests.isDue(performance.now(), { intervalMs });
    if (!isAnswered) {
      this.#connection.sender.socket?.notifyReport(report);
      if (this.#isVerbose) {
        const fields = { event: "report", transport: transportName(transport) };
        this.#log.debug("Report sent by {transport}", fields);
      }
      return true;
    }
    const sending = this.#callReport(report, options);
    this.#inFlight.add(sending);
    const accepted = await sending;
    this.#inFlight.delete(sending);
    return accepted;
  }

  /** Closes the WebSocket. */
  close(): void {
    this.#connection.sender.socket?.close();
  }

  #dispatch(event: LinkEvent): void {
    if (this.#signal.aborted) return;
    const before = this.#state.transport;
    const { state, effects } = stepLink(this.#state, event, {
      nowMs: performance.now(),
      random: Math.random(),
      settings: this.#settings,
    });
    this.#state = state;
    if (!isSameTransport(state.transport, before)) {
      this.#log.debug("Transport is {transport}, was {before}: {reason}", {
        event: "transport",
        transport: state.transport ? transportName(state.transport) : "none",
        before: before ? transportName(before) : "none",
        reason: event.kind,
      });
      this.#onTransportChange(state.transport);
    }
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: LinkEffect): void {
    switch (effect.kind) {
      case "dial":
        this.#dial(effect.version);
        return;
      case "report":
        this.#owner.report(effect.transport);
        return;
      case "wait":
        clearTimeout(this.#retryTimer);
        this.#retryTimer = setTimeout(() => this.#dispatch({ kind: "timer" }), effect.ms);
        return;
      case "close":
        this.close();
    }
  }

  #onTransportChange(transport: Transport | undefined): void {
    const { sender, observers } = this.#connection;
    // In an outage POST is tried, in the version that the panel has spoken last.
    sender.transport = transport ?? { ...sender.transport, carrier: "POST" };
    this.#answerRequests.reset();
    this.#longPoll?.abort();
    this.#longPoll = undefined;
    if (transport?.carrier === "POST" && transport.version === 2) {
      this.#longPoll = new AbortController();
      const { signal } = this.#longPoll;
      longPoll(this.#connection, { receiver: this.#receiver, signal });
    }
    this.#owner.onTransport(transport);
    for (const observer of observers) observer.onTransport?.(transport);
  }

  async #dial(version: 1 | 2): Promise<void> {
    const { opener, sender, acknowledgements } = this.#connection;
    const signal = this.#signal;
    let opened;
    try {
      opened = await opener.open({ version }, signal);
    } catch (cause) {
      if (signal.aborted) return;
      const { why, error } = opener.toOpenFailure({ version }, cause);
      this.#dispatch({ kind: "dial failed", why, retryAfterMs: error.retryAfterMs });
      this.#linkLog.dialFailed(error, { after: this.#state });
      return;
    }
    const receiver = this.#receiver;
    const { orderBytes } = opener;
    const socket = new PanelSocket(opened, { version, receiver, acknowledgements, orderBytes });
    sender.socket = socket;
    this.#runSocket(socket);
    if (signal.aborted) socket.close();
    this.#dispatch({ kind: "opened" });
  }

  async #runSocket(socket: PanelSocket): Promise<void> {
    await socket.run();
    this.#connection.sender.socket = undefined;
    if (this.#signal.aborted) return;
    const { end, closeReason } = socket;
    const durationMs = performance.now() - socket.openedAtMs;
    if (end === "timed out") this.#foundDead();
    this.#dispatch({ kind: "closed", durationMs, end });
    this.#linkLog.socketClosed(closeReason, { end, durationMs, after: this.#state });
  }

  /** Gives up the connections on the same dead path: calls that follow must not wait for them. */
  #foundDead(): void {
    this.#connection.closeIdle();
    this.#owner.onDeadConnection();
  }

  /** Sends a report that is answered. */
  async #callReport(
    report: WireReport,
    { transport, intervalMs }: { transport: Transport; intervalMs: number },
  ): Promise<boolean> {
    const { calls, observers, sender, clientV1, clientV2 } = this.#connection;
    const isPost = transport.carrier === "POST";
    const isTrial = isPost && transport.version === this.#state.trying;
    // A report of version 1 by WebSocket is not answered.
    const isAnswered = isPost || transport.version === 2;
    const usualMs = isAnswered ? this.#answerTimeout.get(intervalMs) : PONG_TIMEOUT_MS;
    const timeoutMs = isTrial ? TRIAL_TIMEOUT_MS : usualMs;
    const sentAtMs = performance.now();
    try {
      const options = { timeoutMs, signal: calls };
      // Version 1 has no events.
      const events = !isPost
        ? await sender.requireSocket().sendReport(report, timeoutMs)
        : transport.version === 2
        ? await clientV2.report(report, options)
        : await clientV1.sendReport(report, options);
      const answerMs = performance.now() - sentAtMs;
      if (isAnswered) this.#answerTimeout.record(answerMs);
      if (this.#isVerbose) {
        const name = transportName(transport);
        const fields = { event: "report", transport: name, ms: roundMs(answerMs) };
        this.#log.debug("Report accepted by {transport} in {ms} ms", fields);
      }
      this.#linkLog.accepted(transport, this.#state);
      for (const observer of observers) observer.onAccepted?.(intervalMs);
      this.#dispatch({ kind: "accepted", transport });
      if (events) await this.#receiver.onEvents(events, this.#signal);
      return true;
    } catch (error) {
      if (calls.aborted) return false;
      if (failureOf(error) === "timeout") {
        this.#answerTimeout.recordTimeout();
        // A WebSocket is closed for it.
        if (isPost) this.#foundDead();
      }
      const why = reportFailureOf(error);
      this.#answerRequests.reset();
      const retryAfterMs = error instanceof PanelError ? error.retryAfterMs : undefined;
      this.#dispatch({ kind: "failed", transport, why, retryAfterMs });
      // A WebSocket without an answer is closed, and that is logged.
      if (isPost || why !== "lost") {
        this.#linkLog.reportFailed(error, { isTrial, after: this.#state });
      }
      return false;
    }
  }
}

/** Status of a server that wants fewer calls. */
const TOO_MANY_REQUESTS = 429;

function reportFailureOf(error: unknown): ReportFailure {
  if (!(error instanceof PanelError)) return "lost";
  const { failure, code, status } = error;
  if (status === TOO_MANY_REQUESTS) return "limited";
  if (failure === "unsupported protocol") return "unsupported protocol";
  return failure === "rejected" && code !== undefined ? "rejected" : "lost";
}
