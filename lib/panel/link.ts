import { LogRateLimit } from "../log/rate_limit.ts";
import type { RpcPost } from "./client_v2.ts";
import { LinkStory } from "./link_log.ts";
import {
  INITIAL_LINK,
  isSocket,
  type LinkEffect,
  type LinkEvent,
  type LinkSettings,
  type LinkState,
  stepLink,
  type Way,
} from "./link_machine.ts";
import { pullLoop } from "./long_poll.ts";
import { Carrier, type CarrierParts } from "./message_sender.ts";
import type { PanelEvent, PanelMessage, PanelOrder } from "./messages.ts";
import type { PanelLog } from "./outages.ts";
import { PanelError } from "./panel_error.ts";
import { LiveSocket } from "./panel_socket.ts";
import type { WireBasicInfo, WireProbeResult, WireReport } from "./protocol.ts";
import { Beat } from "./report_timer.ts";
import type { SocketDoor } from "./websocket_opener.ts";

const REPORT_MS = 10_000;
/** A try whether POST goes through at all. */
const TRIAL_MS = 6_000;

/** What a link asks of its owner, and tells it. */
export interface LinkListener {
  /** Looks at the machine; called right before a report leaves. */
  takeReport(): WireReport;
  /** The panel wants something done; must not throw. */
  onOrder(order: PanelOrder): void;
  /** The way has changed; absent while nothing goes through. */
  onWay(way: Way | undefined): void;
  /** The panel has accepted a report, and the next is due an interval later; must not throw. */
  onAccepted(intervalMs: number): void;
}

/** What a link works with. */
export interface LinkParts extends Omit<CarrierParts, "socket">, LinkListener {
  readonly settings: LinkSettings;
  /** Time between two reports; each kind of way has its own when absent. */
  readonly intervalMs: number | undefined;
  readonly rpc: Pick<RpcPost, "report" | "call" | "pull">;
  readonly door: Pick<SocketDoor, "open" | "troubleOf">;
  readonly log: PanelLog;
}

/** When a link has to end. */
export interface LinkSignals {
  /** Ends the loops. */
  readonly signal: AbortSignal;
  /** Ends the calls under way, a moment later. */
  readonly calls: AbortSignal;
}

/** Keeps reports going to the panel, by whichever way there is. */
export class PanelLink {
  readonly #parts: LinkParts;
  readonly #signals: LinkSignals;
  readonly #carrier: Carrier;
  readonly #unusableLog = new LogRateLimit({ lines: 1, periodMs: 60_000 });
  readonly #story: LinkStory;
  readonly #beat: Beat;
  readonly #firstOutcome = Promise.withResolvers<void>();
  readonly #underWay = new Set<Promise<void>>();
  #state: LinkState = INITIAL_LINK;
  #socket: LiveSocket | undefined;
  #wait: ReturnType<typeof setTimeout> | undefined;
  #pulling: AbortController | undefined;

  constructor(parts: LinkParts, signals: LinkSignals) {
    this.#parts = parts;
    this.#signals = signals;
    this.#carrier = new Carrier({ ...parts, socket: () => this.#socket });
    this.#story = new LinkStory(parts.log);
    this.#beat = new Beat({
      intervalMs: parts.intervalMs,
      onClamp: () => this.#story.clamped(),
      onDue: (way) => this.#follow(this.#sendReport(way)),
    });
  }

  /** Resolves when the first report has gone through, or the first try has failed. */
  get firstOutcome(): Promise<void> {
    return this.#firstOutcome.promise;
  }

  /** Starts, and resolves when the signal has aborted and what was under way has arrived. */
  async run(): Promise<void> {
    const { signal } = this.#signals;
    if (signal.aborted) return;
    const stopped = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => stopped.resolve(), { once: true });
    this.#happened({ kind: "start" });
    await stopped.promise;
    this.#pulling?.abort();
    this.#beat.start(undefined);
    clearTimeout(this.#wait);
    await Promise.all(this.#underWay);
  }

  /** Ends the WebSocket, when all that was to be said has been. */
  close(): void {
    this.#socket?.close();
  }

  /** @throws {PanelError} When the panel did not take it. */
  async sendBasicInfo(info: WireBasicInfo): Promise<void> {
    await this.#carrier.basicInfo(info, this.#wayAndSignal());
  }

  /** Sends a result by the way that works, by POST when none does. @throws {PanelError} */
  async sendProbeResult(result: WireProbeResult): Promise<void> {
    await this.#carrier.probeResult(result, this.#wayAndSignal());
  }

  #wayAndSignal(): { way: Way; signal: AbortSignal } {
    const older = this.#story.older || !this.#wantsNewer();
    const { way = older ? "v1 POST" : "v2 POST" } = this.#state;
    return { way, signal: this.#signals.calls };
  }

  #happened(event: LinkEvent): void {
    if (this.#signals.signal.aborted) return;
    const before = this.#state.way;
    const { state, effects } = stepLink(this.#state, event, {
      nowMs: performance.now(),
      random: Math.random(),
      settings: this.#parts.settings,
    });
    this.#state = state;
    if (state.way !== before) this.#moved(state.way);
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: LinkEffect): void {
    switch (effect.kind) {
      case "dial":
        this.#dial(effect.version);
        return;
      case "report":
        this.#follow(this.#sendReport(effect.way));
        return;
      case "wait":
        clearTimeout(this.#wait);
        this.#wait = setTimeout(() => this.#happened({ kind: "due" }), effect.ms);
        return;
      case "tell of a rival":
        this.#story.rival();
    }
  }

  /** Starts what belongs to the new way, and ends what belonged to the old one. */
  #moved(way: Way | undefined): void {
    this.#beat.start(way);
    this.#pulling?.abort();
    this.#pulling = way === "v2 POST" ? this.#pull() : undefined;
    this.#parts.onWay(way);
  }

  async #dial(version: 1 | 2): Promise<void> {
    const { door } = this.#parts;
    const { signal } = this.#signals;
    let opened;
    try {
      opened = await door.open({ version }, signal);
    } catch (cause) {
      if (signal.aborted) return;
      const { why, error } = door.troubleOf({ version }, cause);
      this.#story.notOpened(error, {
        goesOn: this.#state.way !== undefined,
        maybePost: why === "answered",
      });
      if (why !== "answered") this.#firstOutcome.resolve();
      this.#happened({ kind: "dial failed", why });
      return;
    }
    const onMessage = (message: PanelMessage) => this.#take(message);
    const socket = new LiveSocket(opened, { version, onMessage });
    this.#socket = socket;
    this.#attend(socket);
    if (signal.aborted) socket.close();
    this.#happened({ kind: "opened" });
  }

  async #attend(socket: LiveSocket): Promise<void> {
    await socket.run();
    this.#socket = undefined;
    if (this.#signals.signal.aborted) return;
    const { way } = this.#state;
    const { end, ending } = socket;
    const livedMs = performance.now() - socket.openedAtMs;
    this.#story.ended(ending, { goesOn: way !== undefined && !isSocket(way), livedMs });
    this.#happened({ kind: "closed", livedMs, end });
  }

  /** Lets a report that is under way arrive before the link ends. */
  async #follow(sending: Promise<void>): Promise<void> {
    this.#underWay.add(sending);
    await sending;
    this.#underWay.delete(sending);
  }

  async #sendReport(way: Way): Promise<void> {
    const { calls } = this.#signals;
    // A WebSocket's reports don't wait for each other: a slow answer must not make a gap.
    if (isSocket(way)) this.#beat.next(way, true);
    const trial = way === this.#state.trying;
    const before = this.#state.way;
    try {
      const report = this.#parts.takeReport();
      const timeoutMs = trial ? TRIAL_MS : REPORT_MS;
      const events = await this.#carrier.report(report, { way, timeoutMs, signal: calls });
      if (trial) this.#story.found(way, { expected: !this.#wantsNewer() });
      this.#story.accepted(way);
      this.#parts.onAccepted(this.#beat.intervalMs(way));
      this.#happened({ kind: "accepted", way });
      this.#takeEvents(events);
      if (!isSocket(way) || before !== way) this.#beat.next(way, true);
    } catch (error) {
      if (calls.aborted) return;
      const why = failureOf(error);
      // Whether the older version goes through is still to be seen, and a WebSocket that gives no
      // answer ends, which is told then.
      const isTold = isSocket(way) ? why !== "lost" : !(trial && why === "unspoken");
      if (isTold) this.#story.failed(error);
      this.#happened({ kind: "failed", way, why });
      if (!isSocket(way) || before !== way) this.#beat.next(way, isSocket(way));
    }
    this.#firstOutcome.resolve();
  }

  #wantsNewer(): boolean {
    const { httpOnly, version } = this.#parts.settings;
    return !httpOnly && version === 2;
  }

  #pull(): AbortController {
    const pulling = new AbortController();
    const { rpc, log } = this.#parts;
    pullLoop(pulling.signal, {
      pull: (signal) => rpc.pull(signal),
      onEvents: (events) => this.#takeEvents(events),
      onOutcome: (error) => error === undefined ? log.succeeded("pull") : log.failed("pull", error),
    });
    return pulling;
  }

  #takeEvents(events: readonly PanelEvent[]): void {
    for (const { message } of events) this.#take(message);
  }

  #take(message: PanelMessage): void {
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

function failureOf(error: unknown): "unspoken" | "rejected" | "lost" {
  if (!(error instanceof PanelError)) return "lost";
  const { failure, code } = error;
  if (failure === "unspoken") return "unspoken";
  return failure === "rejected" && code !== undefined ? "rejected" : "lost";
}
