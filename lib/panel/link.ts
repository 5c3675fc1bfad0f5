import { LogRateLimit } from "../log/rate_limit.ts";
import type { ClientV2 } from "./client_v2.ts";
import { LinkLog } from "./link_log.ts";
import {
  INITIAL_LINK,
  isWebSocket,
  type LinkEffect,
  type LinkEvent,
  type LinkSettings,
  type LinkState,
  stepLink,
  type Transport,
} from "./link_machine.ts";
import { longPoll } from "./long_poll.ts";
import { MessageSender, type MessageSenderParts } from "./message_sender.ts";
import type { PanelEvent, PanelMessage, PanelOrder } from "./messages.ts";
import type { PanelLog } from "./outages.ts";
import { PanelError } from "./panel_error.ts";
import { PanelSocket } from "./panel_socket.ts";
import type { WireBasicInfo, WireProbeResult, WireReport } from "./protocol.ts";
import { ReportTimer } from "./report_timer.ts";
import type { WebSocketOpener } from "./websocket_opener.ts";

const REPORT_MS = 10_000;
/** A try whether POST goes through at all. */
const TRIAL_MS = 6_000;

/** What a link asks of its owner, and tells it. */
export interface LinkListener {
  /** Looks at the machine; called right before a report leaves. */
  createReport(): WireReport;
  /** The panel wants something done; must not throw. */
  onOrder(order: PanelOrder): void;
  /** The transport has changed; absent while nothing goes through. */
  onTransport(transport: Transport | undefined): void;
  /** The panel has accepted a report, and the next is due an interval later; must not throw. */
  onAccepted(intervalMs: number): void;
}

/** What a link works with. */
export interface LinkParts extends Omit<MessageSenderParts, "socket">, LinkListener {
  readonly settings: LinkSettings;
  /** Time between two reports; each kind of transport has its own when absent. */
  readonly intervalMs: number | undefined;
  readonly clientV2: Pick<ClientV2, "report" | "call" | "pull">;
  readonly opener: Pick<WebSocketOpener, "open" | "toOpenFailure">;
  readonly log: PanelLog;
}

/** When a link has to end. */
export interface LinkSignals {
  /** Ends the loops. */
  readonly signal: AbortSignal;
  /** Ends the calls in flight, a moment later. */
  readonly calls: AbortSignal;
}

/** Keeps reports going to the panel, by whichever transport there is. */
export class PanelLink {
  readonly #parts: LinkParts;
  readonly #signals: LinkSignals;
  readonly #sender: MessageSender;
  readonly #unusableLog = new LogRateLimit({ lines: 1, periodMs: 60_000 });
  readonly #linkLog: LinkLog;
  readonly #timer: ReportTimer;
  readonly #firstOutcome = Promise.withResolvers<void>();
  readonly #inFlight = new Set<Promise<void>>();
  #state: LinkState = INITIAL_LINK;
  #socket: PanelSocket | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #longPoll: AbortController | undefined;

  constructor(parts: LinkParts, signals: LinkSignals) {
    this.#parts = parts;
    this.#signals = signals;
    this.#sender = new MessageSender({ ...parts, socket: () => this.#socket });
    this.#linkLog = new LinkLog(parts.log);
    this.#timer = new ReportTimer({
      intervalMs: parts.intervalMs,
      onClamp: () => this.#linkLog.intervalClamped(),
      onDue: (transport) => this.#track(this.#sendReport(transport)),
    });
  }

  /** Resolves when the first report has gone through, or the first try has failed. */
  get firstOutcome(): Promise<void> {
    return this.#firstOutcome.promise;
  }

  /** Starts, and resolves when the signal has aborted and what was in flight has arrived. */
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

  /** Ends the WebSocket, when all that was to be said has been. */
  close(): void {
    this.#socket?.close();
  }

  /** @throws {PanelError} When the panel did not take it. */
  async sendBasicInfo(info: WireBasicInfo): Promise<void> {
    await this.#sender.basicInfo(info, this.#currentTransport());
  }

  /** Sends a result by the transport that works, by POST when none does. @throws {PanelError} */
  async sendProbeResult(result: WireProbeResult): Promise<void> {
    await this.#sender.probeResult(result, this.#currentTransport());
  }

  #currentTransport(): { transport: Transport; signal: AbortSignal } {
    const older = this.#linkLog.isV1Only || !this.#prefersV2();
    const { transport = older ? "v1 POST" : "v2 POST" } = this.#state;
    return { transport, signal: this.#signals.calls };
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
    if (state.transport !== before) this.#onTransportChange(state.transport);
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
      case "warn of duplicate agent":
        this.#linkLog.duplicateAgent();
    }
  }

  /** Starts what belongs to the new transport, and ends what belonged to the old one. */
  #onTransportChange(transport: Transport | undefined): void {
    this.#timer.start(transport);
    this.#longPoll?.abort();
    this.#longPoll = transport === "v2 POST" ? this.#pull() : undefined;
    this.#parts.onTransport(transport);
  }

  async #dial(version: 1 | 2): Promise<void> {
    const { opener } = this.#parts;
    const { signal } = this.#signals;
    let opened;
    try {
      opened = await opener.open({ version }, signal);
    } catch (cause) {
      if (signal.aborted) return;
      const { why, error } = opener.toOpenFailure({ version }, cause);
      this.#linkLog.dialFailed(error, {
        hasFallback: this.#state.transport !== undefined,
        mayFallBack: why === "answered",
      });
      if (why !== "answered") this.#firstOutcome.resolve();
      this.#dispatch({ kind: "dial failed", why });
      return;
    }
    const onMessage = (message: PanelMessage) => this.#handleMessage(message);
    const socket = new PanelSocket(opened, { version, onMessage });
    this.#socket = socket;
    this.#runSocket(socket);
    if (signal.aborted) socket.close();
    this.#dispatch({ kind: "opened" });
  }

  async #runSocket(socket: PanelSocket): Promise<void> {
    await socket.run();
    this.#socket = undefined;
    if (this.#signals.signal.aborted) return;
    const { transport } = this.#state;
    const { end, closeReason: ending } = socket;
    const livedMs = performance.now() - socket.openedAtMs;
    this.#linkLog.socketClosed(ending, {
      hasFallback: transport !== undefined && !isWebSocket(transport),
      durationMs: livedMs,
    });
    this.#dispatch({ kind: "closed", durationMs: livedMs, end });
  }

  /** Lets a report that is in flight arrive before the link ends. */
  async #track(sending: Promise<void>): Promise<void> {
    this.#inFlight.add(sending);
    await sending;
    this.#inFlight.delete(sending);
  }

  async #sendReport(transport: Transport): Promise<void> {
    const { calls } = this.#signals;
    // A WebSocket's reports don't wait for each other: a slow answer must not make a gap.
    if (isWebSocket(transport)) this.#timer.next(transport, true);
    const trial = transport === this.#state.trying;
    const before = this.#state.transport;
    try {
      const report = this.#parts.createReport();
      const timeoutMs = trial ? TRIAL_MS : REPORT_MS;
      const events = await this.#sender.report(report, { transport, timeoutMs, signal: calls });
      if (trial) this.#linkLog.transportFound(transport, { expected: !this.#prefersV2() });
      this.#linkLog.accepted(transport);
      this.#parts.onAccepted(this.#timer.intervalMs(transport));
      this.#dispatch({ kind: "accepted", transport });
      this.#handleEvents(events);
      if (!isWebSocket(transport) || before !== transport) this.#timer.next(transport, true);
    } catch (error) {
      if (calls.aborted) return;
      const why = failureOf(error);
      // Whether the older version goes through is still to be seen, and a WebSocket that gives no
      // answer ends, which is told then.
      const isLogged = isWebSocket(transport)
        ? why !== "lost"
        : !(trial && why === "unsupported protocol");
      if (isLogged) this.#linkLog.failed(error);
      this.#dispatch({ kind: "failed", transport, why });
      if (!isWebSocket(transport) || before !== transport) {
        this.#timer.next(transport, isWebSocket(transport));
      }
    }
    this.#firstOutcome.resolve();
  }

  #prefersV2(): boolean {
    const { noWebSocket: httpOnly, version } = this.#parts.settings;
    return !httpOnly && version === 2;
  }

  #pull(): AbortController {
    const pulling = new AbortController();
    const { clientV2, log } = this.#parts;
    longPoll(pulling.signal, {
      pull: (signal) => clientV2.pull(signal),
      onEvents: (events) => this.#handleEvents(events),
      onOutcome: (error) => error === undefined ? log.succeeded("pull") : log.failed("pull", error),
    });
    return pulling;
  }

  #handleEvents(events: readonly PanelEvent[]): void {
    for (const { message } of events) this.#handleMessage(message);
  }

  #handleMessage(message: PanelMessage): void {
    if (this.#signals.signal.aborted) return;
    switch (message.kind) {
      case "answer":
        // Over the older version only what was refused is answered.
        if (message.error) this.#logUnusable(`"${message.error.text}"`);
        return;
      case "unusable":
        this.#logUnusable(message.reason);
        return;
      default:
        this.#parts.onOrder(message);
    }
  }

  #logUnusable(text: string): void {
    if (!this.#unusableLog.allows()) return;
    const more = this.#unusableLog.takeSuppressed();
    this.#parts.log.warning(`The panel says something odd: ${text}${more}`);
  }
}

function failureOf(error: unknown): "unsupported protocol" | "rejected" | "lost" {
  if (!(error instanceof PanelError)) return "lost";
  const { failure, code } = error;
  if (failure === "unsupported protocol") return "unsupported protocol";
  return failure === "rejected" && code !== undefined ? "rejected" : "lost";
}
