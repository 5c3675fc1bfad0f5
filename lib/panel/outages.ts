import type { Diagnosis } from "../diagnosis/cause.ts";
import { diagnosisLine } from "../diagnosis/diagnose.ts";
import { getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { withoutArrows } from "../parse/bounded_text.ts";
import type { PanelObserver } from "./observer.ts";
import { PanelError, type PanelFailure } from "./panel_error.ts";

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

/** Causes of answers that refuse one call, while others may be taken. */
const OF_ONE_CALL: readonly string[] = ["failed", "no panel", "panel's error", "panel's version"];

const PANEL = "";

const REPORT = "report";

/** The call that is not made again, unless the panel as a whole fails: what it brings is lost. */
const NOT_REPEATED = "probe result";

const MINUTE_MS = 60_000;
/** Ages of an outage at which it is logged again; later ones follow every hour. */
const REMINDERS_MS = [MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS];
const HOUR_MS = 60 * MINUTE_MS;

/** Time between two lines about the start or the cause of outages of the panel, or of single calls. */
const QUIET_MS = 10_000;

interface Outage {
  readonly sinceMs: number;
  /** The message of the last failure. */
  readonly text: string;
  /** When it is logged again. */
  readonly remindAtMs: number;
  readonly failures: number;
  /** The kind of the last failure, and of the one that was logged; `undefined` before that. */
  readonly key: string;
  readonly loggedKey?: string | undefined;
  /**
   * Whether its only failure was a WebSocket that was closed, which is mostly opened again at once, and
   * the calls by it.
   */
  readonly isClosed: boolean;
  /** Names of the calls that failed. */
  readonly calls: ReadonlySet<string>;
}

/**
 * Logs outages of the panel: when one starts, when its cause changes, after 1, 5 and 15 minutes and then
 * every hour while it continues, and when it ends, with its length and the number of failed calls.
 *
 * An outage of the whole panel is one outage, not one for each kind of call. Starts and changes are logged
 * every 10 s at most, the latest with the next failure; the end of what was logged always is.
 */
export class OutageLog implements PanelObserver {
  readonly #log = getLogger("panel");
  /** By name of the call; the panel as a whole under the empty name. */
  readonly #open = new Map<string, Outage>();
  readonly #panelLines = new LogRateLimit({ periodMs: QUIET_MS });
  readonly #callLines = new LogRateLimit({ periodMs: QUIET_MS });
  /** When a report was accepted last. */
  #reportedAtMs: number | undefined;

  /** Records the outcome of a call, `undefined` for a success. */
  onOutcome(error: unknown, call: string, diagnosis?: Diagnosis): void {
    if (error === undefined) {
      this.#succeeded(call);
      if (call === REPORT) this.#reportedAtMs = performance.now();
    } else this.#failed(error, call, diagnosis);
  }

  #failed(error: unknown, call: string, diagnosis?: Diagnosis): void {
    const message = error instanceof Error ? error.message : String(error);
    const general = error instanceof PanelError &&
      (OF_THE_PANEL.has(error.failure) ||
        (error.failure === "rejected" && diagnosis !== undefined &&
          !OF_ONE_CALL.includes(diagnosis.cause)));
    const text = diagnosis === undefined ? withoutArrows(message) : diagnosisLine(diagnosis);
    if (diagnosis !== undefined) this.#log.debug("{error}", { error: message });
    const key = diagnosis?.cause ?? (general ? `${error.failure} ${error.status ?? ""}` : text);
    const place = general ? PANEL : call;
    const nowMs = performance.now();
    const before = this.#open.get(place);
    const sinceMs = before?.sinceMs ?? (call === REPORT ? this.#reportedAtMs : undefined) ?? nowMs;
    // An answer that refuses reports, too, is worth a line although it began with another call.
    const hitsReports = call === REPORT && before?.calls.has(REPORT) === false;
    const isClosed = error instanceof PanelError && error.failure === "disconnected" &&
      (before === undefined || (before.isClosed && !before.calls.has(call)));
    const outage: Outage = {
      sinceMs,
      text: isClosed && before !== undefined && call !== REPORT ? before.text : text,
      remindAtMs: before?.remindAtMs ?? nextReminder(sinceMs, nowMs),
      failures: (before?.failures ?? 0) + 1,
      key,
      loggedKey: hitsReports ? undefined : before?.loggedKey,
      isClosed,
      calls: new Set([...before?.calls ?? [], call]),
    };
    this.#open.set(place, outage);
    if (outage.isClosed) return;
    if (key !== outage.loggedKey) {
      const lines = place === PANEL ? this.#panelLines : this.#callLines;
      if (!lines.allows()) return;
      this.#open.set(place, { ...outage, loggedKey: key });
      const event = before?.loggedKey === undefined ? "outage started" : "outage changed";
      const fields = { event, call, error: message };
      if (diagnosis === undefined) {
        const next = place === NOT_REPEATED ? "it is not sent again" : "trying again";
        this.#log.warning(`{error}; ${next}`, fields);
      } else {
        const { cause, reason, action } = diagnosis;
        const seen = { ...fields, cause, reason, action };
        this.#log.warning(`${headOf(call)}: {reason} \u2192 {action}`, seen);
      }
    } else if (outage.remindAtMs <= nowMs) {
      const fields = { event: "outage continues", call, error: text };
      const outages = this.#remind(nowMs);
      this.#log.warning("Still failing {outages}", { ...fields, outages });
    }
  }

  /** Describes all outages, in one line. */
  #remind(nowMs: number): string {
    const texts = Array.from(this.#open, ([place, outage]) => {
      this.#open.set(place, { ...outage, remindAtMs: nextReminder(outage.sinceMs, nowMs) });
      const minutes = Math.floor((nowMs - outage.sinceMs) / MINUTE_MS);
      const calls = outage.failures === 1 ? "1 call" : `${outage.failures} calls`;
      const duration = minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
      return `for ${duration} and ${calls}: ${outage.text}`;
    });
    return texts.join("; ");
  }

  /** Ends an outage that has hit this call. */
  #succeeded(call: string): void {
    if (this.#open.size === 0) return;
    const place = this.#open.has(call) ? call : PANEL;
    const outage = this.#open.get(place);
    if (outage === undefined || !outage.calls.has(call)) return;
    this.#open.delete(place);
    const lengthMs = performance.now() - outage.sinceMs;
    const seconds = lengthMs < 9_950
      ? Math.max(0.1, Math.round(lengthMs / 100) / 10)
      : Math.round(lengthMs / 1000);
    const { failures, isClosed, text, loggedKey } = outage;
    const fields = { event: "outage ended", call, seconds, failures };
    if (isClosed) {
      if (!this.#panelLines.allows()) return;
      this.#log.warning("Reporting again after {seconds} s: {outages}", {
        ...fields,
        outages: text,
      });
    } else if (loggedKey !== undefined) {
      const what = place === PANEL
        ? "The panel answers again"
        : call === "connections"
        ? "A connection lasts again"
        : `The ${call} works again`;
      const calls = failures === 1 ? "call" : "calls";
      this.#log.info(`${what} after {seconds} s and {failures} failed ${calls}`, fields);
    }
  }
}

/** What a call of this name does, for the start of a line. */
const HEADS: ReadonlyMap<string, string> = new Map([
  [REPORT, "Cannot report"],
  ["WebSocket", "Reports are sent by POST"],
  ["basic info", "Cannot send basic info"],
  ["task list", "Cannot fetch the probe tasks"],
  ["probe result", "Cannot send the result of a probe"],
  ["pull", "Cannot fetch orders"],
  ["registration", "Cannot register"],
  ["connections", "Connections do not last"],
]);

function headOf(call: string): string {
  return HEADS.get(call) ?? `Cannot send the ${call}`;
}

/** When an outage is logged next. */
function nextReminder(sinceMs: number, nowMs: number): number {
  const ageMs = nowMs - sinceMs;
  const next = REMINDERS_MS.find((reminderMs) => reminderMs > ageMs) ??
    (Math.floor(ageMs / HOUR_MS) + 1) * HOUR_MS;
  return sinceMs + next;
}
