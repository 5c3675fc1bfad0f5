import type { Shell } from "../sandbox/shell.ts";
import { BoundedQueue } from "../async/bounded_queue.ts";
import type { SystemResolver } from "../net/dns.ts";
import type { PanelConnection } from "../panel/panel_connection.ts";
import { type AddressedMachine, ProbePolicy } from "../probe/policy.ts";
import { Prober } from "../probe/prober.ts";
import { ProbeSchedule } from "../probe/schedule.ts";
import type { ProblemObserver } from "../state/health_file.ts";
import type { Probe, ProbeResult, ProbeTask } from "../types.ts";

const RESULTS_AT_A_TIME = 16;
/** The panel dates a result by its arrival, so a long queue would be a false one. */
const RESULTS_WAITING = 1000;

/** The probes of one panel: repeated, each at its own interval, or once as it orders. */
export class PanelProbes {
  readonly #connection: PanelConnection;
  readonly #prober: Prober;
  readonly #schedule: ProbeSchedule;
  readonly #results = new BoundedQueue<ProbeResult>({
    run: (result) => this.#sendNow(result),
    concurrency: RESULTS_AT_A_TIME,
    capacity: RESULTS_WAITING,
    whenFull: "drop oldest",
  });

  /**
   * @param options `shell` sends the pings, `resolver` resolves names; `allowLocal`: the machine's own
   * addresses may be probed; `health` is told when no ping can be sent.
   */
  constructor(
    connection: PanelConnection,
    options: {
      shell: Shell | undefined;
      resolver: SystemResolver;
      machine: AddressedMachine;
      allowLocal: boolean;
      health: ProblemObserver | undefined;
    },
  ) {
    const policy = new ProbePolicy(options.resolver, options);
    this.#connection = connection;
    this.#prober = new Prober(options.shell, policy, options.health);
    this.#schedule = new ProbeSchedule(this.#prober, (result) => this.send(result));
  }

  /** Repeats these from now on, and no others. */
  update(tasks: readonly ProbeTask[]): void {
    for (const observer of this.#connection.observers) observer.onProbeTasks?.(tasks);
    this.#schedule.update(tasks);
  }

  /** Runs one once. */
  runOnce(probe: Probe): void {
    for (const observer of this.#connection.observers) observer.onProbeOrder?.(probe);
    this.#schedule.runOnce(probe);
  }

  /** Sends a result as soon as there is room; the oldest of too many is dropped. */
  send(result: ProbeResult): void {
    for (const observer of this.#connection.observers) observer.onProbeResult?.(result);
    this.#results.add(result);
  }

  /** Aborts all, and resolves when no result is being sent any more. */
  async close(): Promise<void> {
    this.#schedule.stop();
    await this.#results.close();
  }

  async #sendNow(result: ProbeResult): Promise<void> {
    const { sender, calls } = this.#connection;
    await this.#connection.observe("probe result", () => sender.sendProbeResult(result, calls));
  }
}
