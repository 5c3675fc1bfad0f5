import { getLogger } from "../log/log.ts";
import { PanelError, type PanelFailure } from "./panel_error.ts";

/** What should be said about the panel. */
export interface OutageEvent {
  readonly kind: "started" | "changed" | "ended";
  readonly text: string;
}

/** Failures that are the panel's or the line's as a whole, whichever call met them. */
const OF_THE_PANEL: ReadonlySet<PanelFailure> = new Set([
  "unreachable",
  "timeout",
  "unauthorized",
  "redirected",
  "unavailable",
  "disconnected",
]);

const PANEL = "";

interface Trouble {
  readonly sinceMs: number;
  readonly failures: number;
  /** What tells this trouble from another. */
  readonly key: string;
  /** The calls that met it. */
  readonly calls: ReadonlySet<string>;
}

/**
 * Turns a stream of outcomes into few lines: one when trouble starts, one when it becomes another,
 * one when it ends, with the count in between.
 *
 * Trouble of the panel as a whole is told once, not once for each kind of call.
 */
export class Outages {
  readonly #nowMs: () => number;
  /** By call; the panel's own under the empty name. */
  readonly #open = new Map<string, Trouble>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Notes a failed call; the event, if there is something new to say. */
  failed(call: string, error: unknown): OutageEvent | undefined {
    const text = error instanceof Error ? error.message : String(error);
    const general = error instanceof PanelError && OF_THE_PANEL.has(error.failure);
    const key = general ? `${error.failure} ${error.status ?? ""}` : text;
    const place = general ? PANEL : call;
    const before = this.#open.get(place);
    this.#open.set(place, {
      sinceMs: before?.sinceMs ?? this.#nowMs(),
      failures: (before?.failures ?? 0) + 1,
      key,
      calls: new Set([...before?.calls ?? [], call]),
    });
    if (before === undefined) return { kind: "started", text };
    return before.key === key ? undefined : { kind: "changed", text };
  }

  /** Notes a call that went well; the event, if it ends a trouble that it had met. */
  succeeded(call: string): OutageEvent | undefined {
    const place = this.#open.has(call) ? call : PANEL;
    const trouble = this.#open.get(place);
    if (trouble === undefined || !trouble.calls.has(call)) return undefined;
    this.#open.delete(place);
    const seconds = Math.round((this.#nowMs() - trouble.sinceMs) / 1000);
    const calls = trouble.failures === 1 ? "1 failed call" : `${trouble.failures} failed calls`;
    const what = place === PANEL ? "The panel answers again" : `The ${call} goes through again`;
    return { kind: "ended", text: `${what} after ${seconds} s and ${calls}` };
  }
}

/** Is told how each call went. */
export interface OutcomeListener {
  /** `undefined` when it went well; must not throw. */
  onOutcome?(error: unknown): void;
}

/** Tells the operator how it goes with the panel, in few words. */
export class PanelLog {
  readonly #log = getLogger("panel");
  readonly #outages = new Outages(() => performance.now());
  readonly #listener: OutcomeListener;

  constructor(listener: OutcomeListener = {}) {
    this.#listener = listener;
  }

  /** A call failed. */
  failed(call: string, error: unknown): void {
    this.#listener.onOutcome?.(error);
    const event = this.#outages.failed(call, error);
    if (event !== undefined) this.#log.warning("{text}; trying again", { text: event.text });
  }

  /** A call went well. */
  succeeded(call: string): void {
    this.#listener.onOutcome?.(undefined);
    const event = this.#outages.succeeded(call);
    if (event !== undefined) this.#log.info("{text}", { text: event.text });
  }

  info(text: string): void {
    this.#log.info("{text}", { text });
  }

  warning(text: string): void {
    this.#log.warning("{text}", { text });
  }
}
