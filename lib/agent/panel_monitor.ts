import type { PanelHealth } from "../state/health_file.ts";
import { describeError } from "../log/log.ts";
import type { OutcomeListener } from "../panel/outages.ts";

/** Options of a monitor; `nowMs` is for tests. */
export interface PanelMonitorOptions {
  /** Called after a change; `now` unless a report follows at once that is recorded anyway. */
  onChange(options: { now: boolean }): void;
  readonly nowMs?: () => number;
}

/** Keeps the state of the connection to one panel for the health file. */
export class PanelMonitor implements OutcomeListener {
  readonly #panel: string;
  readonly #onChange: PanelMonitorOptions["onChange"];
  readonly #nowMs: () => number;
  #transport: string | undefined;
  #sinceMs: number;
  #acceptedAtMs: number | undefined;
  #failures = 0;
  #error: PanelHealth["error"];
  #probes = 0;

  /** `panel` is the host and path of its address. */
  constructor(panel: string, { onChange, nowMs = Date.now }: PanelMonitorOptions) {
    this.#panel = panel;
    this.#onChange = onChange;
    this.#nowMs = nowMs;
    this.#sinceMs = nowMs();
  }

  /** The transport has changed; `undefined` during an outage. */
  onTransport(transport: string | undefined): void {
    if (transport === this.#transport) return;
    this.#transport = transport;
    this.#sinceMs = this.#nowMs();
    this.#onChange({ now: true });
  }

  /** The panel has accepted a report. */
  onAccepted(): void {
    this.#acceptedAtMs = this.#nowMs();
    this.#failures = 0;
    this.#onChange({ now: false });
  }

  /** A call has ended, with an error if it has failed. */
  onOutcome(error: unknown): void {
    if (error === undefined) return;
    this.#failures++;
    this.#error = { text: describeError(error), atMs: this.#nowMs() };
    this.#onChange({ now: true });
  }

  /** The number of probes that are repeated. */
  onProbes(count: number): void {
    this.#probes = count;
    this.#onChange({ now: false });
  }

  /** The present state. */
  health(): PanelHealth {
    return {
      panel: this.#panel,
      transport: this.#transport,
      sinceMs: this.#sinceMs,
      acceptedAtMs: this.#acceptedAtMs,
      failures: this.#failures,
      error: this.#error,
      probes: this.#probes,
    };
  }
}
