import { describeError } from "../log/log.ts";
import type { PanelObserver } from "../panel/observer.ts";
import { type Transport, transportName } from "../panel/transport.ts";
import type { HealthFile, PanelHealth } from "../state/health_file.ts";
import type { ProbeTask } from "../types.ts";

/** The state of the connections to all panels, for the health file and the metrics. */
export class PanelMonitors {
  readonly #file: HealthFile | undefined;
  readonly #monitors: PanelMonitor[] = [];

  constructor(file: HealthFile | undefined) {
    this.#file = file;
  }

  /** Watches the connection to one more panel; `panel` is the host and path of its address. */
  open(panel: string): PanelMonitor {
    const monitor = new PanelMonitor(panel, (intervalMs) => this.#write(intervalMs));
    this.#monitors.push(monitor);
    this.#write();
    return monitor;
  }

  /** The present state of each connection. */
  health(): PanelHealth[] {
    return this.#monitors.map((monitor) => monitor.health());
  }

  /** Writes once: with an accepted report everything is recorded anyway. */
  #write(intervalMs?: number): void {
    this.#file?.setPanels(this.health(), { now: intervalMs === undefined });
    if (intervalMs !== undefined) this.#file?.accepted(intervalMs);
  }
}

/** Keeps the state of the connection to one panel. */
export class PanelMonitor implements PanelObserver {
  readonly #panel: string;
  readonly #onChange: (intervalMs?: number) => void;
  #transport: string | undefined;
  #sinceMs = Date.now();
  #acceptedAtMs: number | undefined;
  #failures = 0;
  #error: PanelHealth["error"];
  #probes = 0;

  /** @param onChange Called after a change; with the time to the next report when one was accepted. */
  constructor(panel: string, onChange: (intervalMs?: number) => void) {
    this.#panel = panel;
    this.#onChange = onChange;
  }

  /** The transport has changed; `undefined` during an outage. */
  onTransport(transport: Transport | undefined): void {
    const name = transport && transportName(transport);
    if (name === this.#transport) return;
    this.#transport = name;
    this.#sinceMs = Date.now();
    this.#onChange();
  }

  /** The panel has accepted a report. */
  onAccepted(intervalMs: number): void {
    this.#acceptedAtMs = Date.now();
    this.#failures = 0;
    this.#onChange(intervalMs);
  }

  /** A call has ended, with an error if it has failed. */
  onOutcome(error: unknown): void {
    if (error === undefined) return;
    this.#failures++;
    this.#error = { text: describeError(error), atMs: Date.now() };
    this.#onChange();
  }

  /** Counts the probes that are repeated. */
  onProbeTasks({ length }: readonly ProbeTask[]): void {
    if (length === this.#probes) return;
    this.#probes = length;
    this.#onChange();
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
