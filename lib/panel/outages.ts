import { describeError, getLogger } from "../log/log.ts";
import { PanelError, type PanelFailure } from "./panel_error.ts";

/** A change of an outage that is worth a log line. */
export interface OutageEvent {
  readonly kind: "started" | "changed" | "continues" | "ended";
  readonly text: string;
}

/** Failures of the panel or the connection as a whole, whichever call they hit. */
const OF_THE_PANEL: ReadonlySet<PanelFailure> = new Set([
  "unreachable",
  "timeout",
  "unauthorized",
  "redirected",
  "unavailable",
  "disconnected",
  "unsupported protocol",
]);

const PANEL = "";

const MINUTE_MS = 60_000;
/** Ages of an outage at which it is logged again; later ones follow every hour. */
const REMINDERS_MS = [MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS];
const HOUR_MS = 60 * MINUTE_MS;

interface Outage {
  readonly sinceMs: number;
  /** The message of the last failure. */
  readonly text: string;
  /** When it is logged again. */
  readonly remindAtMs: number;
  readonly failures: number;
  /** Identifies the kind of failure. */
  readonly key: string;
  /** Names of the calls that failed. */
  readonly calls: ReadonlySet<string>;
}

/**
 * Turns outcomes of calls into few events: one when an outage starts, one when its cause changes, one
 * after 1, 5 and 15 minutes and then every hour while it continues, and one when it ends, with the
 * number of failed calls.
 *
 * An outage of the whole panel is one outage, not one for each kind of call.
 */
export class Outages {
  readonly #nowMs: () => number;
  /** By name of the call; the panel as a whole under the empty name. */
  readonly #open = new Map<string, Outage>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Records a failed call; gives an event if an outage starts, changes, or is due to be logged again. */
  failed(call: string, error: unknown): OutageEvent | undefined {
    const text = error instanceof Error ? error.message : String(error);
    const general = error instanceof PanelError && OF_THE_PANEL.has(error.failure);
    const key = general ? `${error.failure} ${error.status ?? ""}` : text;
    const place = general ? PANEL : call;
    const nowMs = this.#nowMs();
    const before = this.#open.get(place);
    const sinceMs = before?.sinceMs ?? nowMs;
    this.#open.set(place, {
      sinceMs,
      text,
      remindAtMs: before?.remindAtMs ?? nextReminder(sinceMs, nowMs),
      failures: (before?.failures ?? 0) + 1,
      key,
      calls: new Set([...before?.calls ?? [], call]),
    });
    if (before === undefined) return { kind: "started", text };
    if (before.key !== key) return { kind: "changed", text };
    return before.remindAtMs <= nowMs ? this.#remind(nowMs) : undefined;
  }

  /** All outages in one event. */
  #remind(nowMs: number): OutageEvent {
    const texts = Array.from(this.#open, ([place, outage]) => {
      this.#open.set(place, { ...outage, remindAtMs: nextReminder(outage.sinceMs, nowMs) });
      const minutes = Math.floor((nowMs - outage.sinceMs) / MINUTE_MS);
      const calls = outage.failures === 1 ? "1 call" : `${outage.failures} calls`;
      const duration = minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
      return `for ${duration} and ${calls}: ${outage.text}`;
    });
    return { kind: "continues", text: `Still failing ${texts.join("; ")}` };
  }

  /** Records a successful call; gives an event if it ends an outage that had hit this call. */
  succeeded(call: string): OutageEvent | undefined {
    if (this.#open.size === 0) return undefined;
    const place = this.#open.has(call) ? call : PANEL;
    const outage = this.#open.get(place);
    if (outage === undefined || !outage.calls.has(call)) return undefined;
    this.#open.delete(place);
    const seconds = Math.round((this.#nowMs() - outage.sinceMs) / 1000);
    const calls = outage.failures === 1 ? "1 failed call" : `${outage.failures} failed calls`;
    const what = place === PANEL ? "The panel answers again" : `The ${call} works again`;
    return { kind: "ended", text: `${what} after ${seconds} s and ${calls}` };
  }
}

/** When an outage is logged next. */
function nextReminder(sinceMs: number, nowMs: number): number {
  const ageMs = nowMs - sinceMs;
  const next = REMINDERS_MS.find((reminderMs) => reminderMs > ageMs) ??
    (Math.floor(ageMs / HOUR_MS) + 1) * HOUR_MS;
  return sinceMs + next;
}

/** Receives the outcome of each call. */
export interface OutcomeListener {
  /** @param error `undefined` after a success. Must not throw. */
  onOutcome?(error: unknown): void;
}

/** Logs outages of the panel. */
export class PanelLog {
  readonly #log = getLogger("panel");
  /** Whether the level debug is logged. */
  readonly isVerbose = this.#log.isEnabledFor("debug");
  readonly #outages = new Outages(() => performance.now());
  readonly #listener: OutcomeListener;

  constructor(listener: OutcomeListener = {}) {
    this.#listener = listener;
  }

  /** Records a failed call. */
  failed(call: string, error: unknown): void {
    this.#listener.onOutcome?.(error);
    const event = this.#outages.failed(call, error);
    if (event === undefined) return;
    const fields = { event: `outage ${event.kind}`, call, error: describeError(error) };
    this.#log.warning("{text}; trying again", { text: event.text, ...fields });
  }

  /** Records a successful call. */
  succeeded(call: string): void {
    this.#listener.onOutcome?.(undefined);
    const event = this.#outages.succeeded(call);
    if (event !== undefined) {
      this.#log.info("{text}", { text: event.text, event: "outage ended", call });
    }
  }

  /** Logs a line. */
  info(text: string): void {
    this.#log.info("{text}", { text });
  }

  /** Logs a line of the level debug; the JSON format has the fields too. */
  debug(text: string, fields: Readonly<Record<string, unknown>> = {}): void {
    this.#log.debug("{text}", { text, ...fields });
  }

  /** Logs an error. */
  error(text: string): void {
    this.#log.error("{text}", { text });
  }

  /** Logs a warning. */
  warning(text: string): void {
    this.#log.warning("{text}", { text });
  }
}
