import type { Shell } from "../sandbox/shell.ts";
import { BoundedQueue } from "../bounded_queue.ts";
import type { SystemResolver } from "../net/dns.ts";
import { observeCall } from "../panel/observer.ts";
import type { PanelConnection } from "../panel/panel_connection.ts";
import { ProbePolicy } from "../probe/policy.ts";
import { Prober } from "../probe/prober.ts";
import { type ProbeOrder, ProbeSchedule } from "../probe/schedule.ts";
import type { ProbeResult, ProbeTask } from "../types.ts";

const RESULTS_AT_A_TIME = 16;
/** The panel dates a result by its arrival, so a long queue would be a false one. */
const RESULTS_WAITING = 1000;

/** The probes of one panel: repeated, each at its own interval, or once as it orders. */
export class PanelProbes {
  readonly #connection: PanelConnection;
  readonly #schedule: ProbeSchedule;
  readonly #results = new BoundedQueue<ProbeResult>({
    run: (result) => this.#sendNow(result),
    concurrency: RESULTS_AT_A_TIME,
    capacity: RESULTS_WAITING,
    whenFull: "drop oldest",
  });

  /**
   * @param options `shell` sends the pings, `resolver` resolves names; `allowLoopback`: this machine's
   * own addresses may be probed.
   */
  constructor(
    connection: PanelConnection,
    options: { shell: Shell | undefined; resolver: SystemResolver; allowLoopback: boolean },
  ) {
    const policy = new ProbePolicy(options.resolver, options);
    this.#connection = connection;
    this.#schedule = new ProbeSchedule(new Prober(options.shell, policy), this);
  }

  /** Repeats these from now on, and no others. */
  update(tasks: readonly ProbeTask[]): void {
    for (const observer of this.#connection.observers) observer.onProbeTasks?.(tasks);
    this.#schedule.update(tasks);
  }

  /** Runs one once. */
  runOnce(order: ProbeOrder): void {
    const { taskId: id, probe: kind, target } = order;
    for (const observer of this.#connection.observers) {
      observer.onProbeOrder?.({ id, kind, target });
    }
    this.#schedule.runOnce(order);
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
    const { sender, observers, calls } = this.#connection;
    await observeCall(() => sender.sendProbeResult(result, calls), {
      name: "probe result",
      observers,
      signal: calls,
    });
  }
}
