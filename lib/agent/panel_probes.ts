import type { Shell } from "../sandbox/shell.ts";
import { BoundedQueue } from "../bounded_queue.ts";
import type { SystemResolver } from "../net/dns.ts";
import { observeCall } from "../panel/observer.ts";
import type { PanelConnection } from "../panel/panel_connection.ts";
import { OnDemandProbes, type ProbeOrder } from "../probe/on_demand.ts";
import { ProbePolicy } from "../probe/policy.ts";
import { Prober } from "../probe/prober.ts";
import { ProbeSchedule } from "../probe/schedule.ts";
import type { ProbeResult, ProbeTask } from "../types.ts";

const RESULTS_AT_A_TIME = 16;
/** The panel dates a result by its arrival, so a long queue would be a false one. */
const RESULTS_WAITING = 1000;

/** The probes of one panel: repeated, each at its own interval, or once as it orders. */
export class PanelProbes {
  readonly #connection: PanelConnection;
  readonly #schedule: ProbeSchedule;
  readonly #onDemand: OnDemandProbes;
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
    const prober = new Prober(options.shell, new ProbePolicy(options.resolver, options));
    const probe: Prober["probe"] = (target, options) => prober.probe(target, options);
    const onResult = (result: ProbeResult) => this.send(result);
    this.#connection = connection;
    this.#schedule = new ProbeSchedule({ probe, onResult });
    this.#onDemand = new OnDemandProbes({ probe, onResult });
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
    this.#onDemand.order(order);
  }

  /** Sends a result as soon as there is room; the oldest of too many is dropped. */
  send(result: ProbeResult): void {
    for (const observer of this.#connection.observers) observer.onProbeResult?.(result);
    this.#results.add(result);
  }

  /** Aborts all, and resolves when no result is being sent any more. */
  async close(): Promise<void> {
    this.#schedule.stop();
    this.#onDemand.stop();
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
