import { getLogger, roundMs } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import { AnswerRequests } from "./answer_requests.ts";
import { AnswerTimeout } from "./answer_timeout.ts";
import type { ClientV1 } from "./client_v1.ts";
import type { ClientV2 } from "./client_v2.ts";
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
import { MessageLimit } from "./message_limit.ts";
import type { PanelSender } from "./panel_sender.ts";
import type { PanelEvent, PanelMessage, PanelOrder } from "./messages.ts";
import type { PanelObserver } from "./observer.ts";
import { PanelError } from "./panel_error.ts";
import { PanelSocket } from "./panel_socket.ts";
import type { WireReport } from "./protocol.ts";
import { ReportTimer } from "./report_timer.ts";
import { isSameTransport, type Transport, transportName } from "./transport.ts";
import type { WebSocketOpener } from "./websocket_opener.ts";

/** Timeout of a report that finds out whether POST works. */
const TRIAL_TIMEOUT_MS = 6_000;
/** Timeout of the ping that goes with each report of version 1 by WebSocket. */
const PONG_TIMEOUT_MS = 5_000;

/** The owner of a link, which supplies reports and handles orders. */
export interface LinkListener {
  /** Measures the machine; called right before a report is sent. */
  createReport(): WireReport;
  /** Handles an order of the panel; must not throw. */
  onOrder(order: PanelOrder): void;
  /** The transport has changed; `undefined` during an outage. */
  onTransport(transport: Transport | undefined): void;
}

/** The settings and clients of a link. */
export interface LinkParts extends LinkListener {
  readonly settings: LinkSettings;
  /** Time between two reports; by default each kind of transport has its own. */
  readonly intervalMs: number | undefined;
  /** A time at which reports of all panels are due; absent with a single panel. */
  readonly phaseMs: number | undefined;
  readonly clientV1: Pick<ClientV1, "sendReport">;
  readonly clientV2: Pick<ClientV2, "report" | "pull">;
  /** Follows the transport of the reports. */
  readonly sender: PanelSender;
  readonly acknowledgements: Acknowledgements;
  readonly opener: Pick<WebSocketOpener, "open" | "toOpenFailure">;
  /** Closes the idle connections for calls, which are likely to be dead too. */
  dropIdleConnections(): void;
  readonly observers: readonly PanelObserver[];
}

/** The signals that end a link. */
export interface LinkSignals {
  /** Ends the loops. */
  readonly signal: AbortSignal;
  /** Cancels the calls in flight, a moment later. */
  readonly calls: AbortSignal;
}

/** Sends reports to the panel by the best transport that works, and receives its orders. */
export class PanelLink {
  readonly #parts: LinkParts;
  readonly #log = getLogger("panel");
  readonly #isVerbose = this.#log.isEnabledFor("debug");
  readonly #signals: LinkSignals;
  readonly #invalidLog = new LogRateLimit({ lines: 1, periodMs: 60_000 });
  readonly #unknownLog = new LogRateLimit({ lines: 1, periodMs: 60_000 });
  readonly #dropLog = new LogRateLimit({ lines: 1, periodMs: 60_000 });
  readonly #messageLimit = new MessageLimit();
  readonly #linkLog: LinkLog;
  readonly #timer: ReportTimer;
  readonly #answerTimeout = new AnswerTimeout();
  readonly #answerRequests = new AnswerRequests();
  readonly #inFlight = new Set<Promise<void>>();
  #state: LinkState = INITIAL_LINK;
  #socket: PanelSocket | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #longPoll: AbortController | undefined;

  constructor(parts: LinkParts, signals: LinkSignals) {
    this.#parts = parts;
    this.#signals = signals;
    this.#linkLog = new LinkLog(parts.observers, { version: parts.settings.version });
    this.#timer = new ReportTimer({
      intervalMs: parts.intervalMs,
      phaseMs: parts.phaseMs,
      onClamp: () => this.#linkLog.intervalClamped(),
      onDue: (transport) => this.#track(this.#sendReport(transport)),
    });
  }

  /** Runs until the signal aborts and the reports in flight have ended. */
  async run(): Promise<void> {
    const { signal } = this.#signals;
    if (signal.aborted) return;
    const stopped = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => stopped.resolve(), { once: true });
    this.#dispatch({ kind: "start" });
    await stopped.promise;
    this.#longPoll?.abort();
    this.#timer.start(undefined);
    clearTimeout(this.#retryTimer);
    await Promise.all(this.#inFlight);
  }

  /** Closes the WebSocket. */
  close(): void {
    this.#socket?.close();
  }

  #dispatch(event: LinkEvent): void {
    if (this.#signals.signal.aborted) return;
    const before = this.#state.transport;
    const { state, effects } = stepLink(this.#state, event, {
      nowMs: performance.now(),
      random: Math.random(),
      settings: this.#parts.settings,
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
        this.#track(this.#sendReport(effect.transport));
        return;
      case "wait":
        clearTimeout(this.#retryTimer);
        this.#retryTimer = setTimeout(() => this.#dispatch({ kind: "timer" }), effect.ms);
        return;
      case "close":
        this.#socket?.close();
        return;
      case "warn of duplicate agent":
        this.#linkLog.duplicateAgent();
    }
  }

  #onTransportChange(transport: Transport | undefined): void {
    const { sender } = this.#parts;
    // In an outage POST is tried, in the version that the panel has spoken last.
    sender.transport = transport ?? { ...sender.transport, carrier: "POST" };
    this.#timer.start(transport);
    this.#answerRequests.reset();
    this.#longPoll?.abort();
    const isPulled = transport?.carrier === "POST" && transport.version === 2;
    this.#longPoll = isPulled ? this.#startLongPoll() : undefined;
    this.#parts.onTransport(transport);
    for (const observer of this.#parts.observers) observer.onTransport?.(transport);
  }

  async #dial(version: 1 | 2): Promise<void> {
    const { opener, acknowledgements } = this.#parts;
    const { signal } = this.#signals;
    let opened;
    try {
      opened = await opener.open({ version }, signal);
    } catch (cause) {
      if (signal.aborted) return;
      const { why, error } = opener.toOpenFailure({ version }, cause);
      this.#linkLog.dialFailed(error, {
        hasFallback: this.#state.transport !== undefined,
        mayFallBack: why === "answered" && !this.#state.lastResort,
      });
      this.#dispatch({ kind: "dial failed", why });
      return;
    }
    const listener = {
      onMessage: (message: PanelMessage) => this.#handleMessage(message),
      accepts: () => this.#acceptsMessage(),
    };
    const socket = new PanelSocket(opened, {
      version,
      listener,
      acknowledgements,
      signal: this.#signals.calls,
    });
    this.#socket = this.#parts.sender.socket = socket;
    this.#runSocket(socket);
    if (signal.aborted) socket.close();
    this.#dispatch({ kind: "opened" });
  }

  async #runSocket(socket: PanelSocket): Promise<void> {
    await socket.run();
    this.#socket = this.#parts.sender.socket = undefined;
    if (this.#signals.signal.aborted) return;
    const { transport } = this.#state;
    const { end, closeReason } = socket;
    const durationMs = performance.now() - socket.openedAtMs;
    // The calls that follow must not wait for a connection on the same dead path.
    if (end === "timed out") this.#parts.dropIdleConnections();
    this.#linkLog.socketClosed(closeReason, {
      hasFallback: transport?.carrier === "POST",
      durationMs,
    });
    this.#dispatch({ kind: "closed", durationMs, end });
  }

  /** Lets a report in flight end before the link does. */
  async #track(sending: Promise<void>): Promise<void> {
    this.#inFlight.add(sending);
    await sending;
    this.#inFlight.delete(sending);
  }

  async #sendReport(transport: Transport): Promise<void> {
    const { calls } = this.#signals;
    // Reports by WebSocket don't wait for each other: a slow answer must not delay the next one.
    const isSocket = transport.carrier === "WebSocket";
    if (isSocket) this.#timer.next(transport, true);
    const isTrial = !isSocket && transport.version === this.#state.trying;
    const before = this.#state.transport;
    const intervalMs = this.#timer.intervalMs(transport);
    try {
      const report = this.#parts.createReport();
      const sentAtMs = performance.now();
      if (!isTrial && !this.#asksForAnswer(transport, { nowMs: sentAtMs, intervalMs })) {
        this.#notify(report, transport);
        return;
      }
      const timeoutMs = this.#timeoutMs(transport, { isTrial });
      const events = await this.#send(report, { transport, timeoutMs, signal: calls });
      const answerMs = performance.now() - sentAtMs;
      // A report of version 1 by WebSocket is not answered.
      if (!isSocket || transport.version === 2) this.#answerTimeout.record(answerMs);
      if (this.#isVerbose) {
        const name = transportName(transport);
        const fields = { event: "report", transport: name, ms: roundMs(answerMs) };
        this.#log.debug("Report accepted by {transport} in {ms} ms", fields);
      }
      if (isTrial) this.#linkLog.transportFound(transport);
      this.#linkLog.accepted(transport);
      for (const observer of this.#parts.observers) observer.onAccepted?.(intervalMs);
      this.#dispatch({ kind: "accepted", transport });
      this.#handleEvents(events);
      const isNew = !isSameTransport(before, transport);
      if (!isSocket || isNew) this.#timer.next(transport, true);
    } catch (error) {
      if (calls.aborted) return;
      if (error instanceof PanelError && error.failure === "timeout") {
        this.#answerTimeout.recordTimeout();
        this.#parts.dropIdleConnections();
      }
      const why = failureOf(error);
      this.#answerRequests.reset();
      this.#dispatch({ kind: "failed", transport, why });
      this.#logFailure(error, { transport, isTrial, why });
      const isNew = !isSameTransport(before, transport);
      if (!isSocket || isNew) this.#timer.next(transport, isSocket);
    }
  }

  /** By POST everything is answered. */
  #asksForAnswer(
    transport: Transport,
    { nowMs, intervalMs }: { nowMs: number; intervalMs: number },
  ): boolean {
    return transport.carrier === "POST" || this.#parts.acknowledgements.hasPending ||
      this.#answerRequests.isDue(nowMs, { intervalMs });
  }

  #notify(report: WireReport, transport: Transport): void {
    this.#socket?.notifyReport(report);
    if (this.#isVerbose) {
      const fields = { event: "report", transport: transportName(transport) };
      this.#log.debug("Report sent by {transport}", fields);
    }
  }

  #timeoutMs(transport: Transport, { isTrial }: { isTrial: boolean }): number {
    if (isTrial) return TRIAL_TIMEOUT_MS;
    if (transport.carrier === "WebSocket" && transport.version === 1) return PONG_TIMEOUT_MS;
    return this.#answerTimeout.get(this.#timer.intervalMs(transport));
  }

  #logFailure(
    error: unknown,
    { transport, isTrial, why }: { transport: Transport; isTrial: boolean; why: ReportFailure },
  ): void {
    if (transport.carrier === "WebSocket") {
      // One without an answer is closed, and that is logged.
      if (why !== "lost") this.#linkLog.failed(error);
    } else if (isTrial && this.#state.lastResort) {
      this.#linkLog.postUnsupported(error);
    } else if (this.#state.trying === undefined || !isTrial) {
      this.#linkLog.failed(error);
    }
  }

  /** Sends a report by a transport, and gives the events of the answer. @throws {PanelError} */
  async #send(
    report: WireReport,
    options: { transport: Transport; timeoutMs: number; signal: AbortSignal },
  ): Promise<PanelEvent[]> {
    const { clientV1, clientV2 } = this.#parts;
    const { version, carrier } = options.transport;
    if (carrier === "POST") {
      if (version === 2) return await clientV2.report(report, options);
      await clientV1.sendReport(report, options);
    } else if (this.#socket !== undefined) await this.#socket.sendReport(report, options);
    else throw new PanelError("Cannot send by WebSocket: it is closed", { failure: "unreachable" });
    return [];
  }

  #startLongPoll(): AbortController {
    const controller = new AbortController();
    const { clientV2, observers } = this.#parts;
    longPoll(controller.signal, {
      pull: (signal) => clientV2.pull(signal),
      onEvents: (events) => this.#handleEvents(events),
      onOutcome(error) {
        for (const observer of observers) observer.onOutcome?.(error, "pull");
      },
    });
    return controller;
  }

  #handleEvents(events: readonly PanelEvent[]): void {
    for (const { message } of events) {
      if (this.#acceptsMessage()) this.#handleMessage(message);
    }
  }

  /** Counts a message; `false` when the panel sends too many. */
  #acceptsMessage(): boolean {
    if (this.#messageLimit.allows()) return true;
    if (this.#dropLog.allows()) {
      const more = this.#dropLog.takeSuppressed();
      this.#log.warning("Dropped messages of the panel: it sends too many{more}", { more });
    }
    return false;
  }

  #handleMessage(message: PanelMessage): void {
    if (this.#signals.signal.aborted) return;
    switch (message.kind) {
      case "answer":
        // Version 1 answers only what it refuses.
        if (message.error) this.#logInvalid(`"${message.error.text}"`);
        return;
      case "invalid":
        this.#logInvalid(message.reason);
        return;
      case "unknown":
        this.#logUnknown(message.method);
        return;
      default:
        this.#parts.onOrder(message);
    }
  }

  #logInvalid(reason: string): void {
    if (!this.#invalidLog.allows()) return;
    const more = this.#invalidLog.takeSuppressed();
    this.#log.warning("Ignored a message of the panel: {reason}{more}", { reason, more });
  }

  #logUnknown(method: string): void {
    if (!this.#unknownLog.allows()) return;
    const more = this.#unknownLog.takeSuppressed();
    this.#log.debug("Ignored an order of the panel of unknown name {method}{more}", {
      method,
      more,
    });
  }
}

function failureOf(error: unknown): ReportFailure {
  if (!(error instanceof PanelError)) return "lost";
  const { failure, code } = error;
  if (failure === "unsupported protocol") return "unsupported protocol";
  return failure === "rejected" && code !== undefined ? "rejected" : "lost";
}
