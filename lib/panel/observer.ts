import type { Probe, ProbeResult, ProbeTask } from "../types.ts";
import type { Diagnosis } from "../diagnosis/cause.ts";
import type { Transport } from "./transport.ts";

/** Listens to the connection to one panel, as the log, the health file and the metrics do; must not throw. */
export interface PanelObserver {
  /** The transport has changed; `undefined` during an outage. */
  onTransport?(transport: Transport | undefined): void;
  /** The panel has accepted a report, and the next one is due after `intervalMs`. */
  onAccepted?(intervalMs: number): void;
  /**
   * A call has ended, with `undefined` after a success; `call` names it in the log. The diagnosis is that
   * of a failure of the way to the panel, or of the panel.
   */
  onOutcome?(error: unknown, call: string, diagnosis?: Diagnosis): void;
  /**
   * A WebSocket was closed, and so many in a row soon after they opened; 0 after one that lasted. The last
   * of them were open for so many milliseconds.
   */
  onShortConnections?(count: number, openMs: readonly number[]): void;
  /** These probes are repeated from now on, and no others. */
  onProbeTasks?(tasks: readonly ProbeTask[]): void;
  /** The panel has ordered one run of a probe. */
  onProbeOrder?(probe: Probe): void;
  /** A probe has run. */
  onProbeResult?(result: ProbeResult): void;
}
