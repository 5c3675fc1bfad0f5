import type { Shell } from "../sandbox/shell.ts";
import type { PanelObserver } from "../panel/observer.ts";
import { OnDemandProbes, type ProbeOrder } from "../probe/on_demand.ts";
import { Prober } from "../probe/prober.ts";
import { ProbeSchedule } from "../probe/schedule.ts";
import type { ProbeResult, ProbeTask } from "../types.ts";

/** The probes of one panel: repeated, each at its own interval, or once as it orders. */
export class PanelProbes {
  readonly #schedule: ProbeSchedule;
  readonly #onDemand: OnDemandProbes;
  readonly #observers: readonly PanelObserver[];

  /** @param options `shell` sends the pings; `allowLoopback`: this machine's own addresses may be probed. */
  constructor(options: {
    shell: Shell | undefined;
    allowLoopback: boolean;
    observers: readonly PanelObserver[];
    onResult: (result: ProbeResult) => void;
  }) {
    const prober = new Prober(options);
    const probe: Prober["probe"] = (target, options) => prober.probe(target, options);
    const onResult = (result: ProbeResult) => {
      for (const observer of options.observers) observer.onProbeResult?.(result);
      options.onResult(result);
    };
    this.#observers = options.observers;
    this.#schedule = new ProbeSchedule({ probe, onResult });
    this.#onDemand = new OnDemandProbes({ probe, onResult });
  }

  /** Repeats these from now on, and no others. */
  update(tasks: readonly ProbeTask[]): void {
    for (const observer of this.#observers) observer.onProbeTasks?.(tasks);
    this.#schedule.update(tasks);
  }

  /** Runs one once. */
  runOnce(order: ProbeOrder): void {
    const { taskId: id, probe: kind, target } = order;
    for (const observer of this.#observers) observer.onProbeOrder?.({ id, kind, target });
    this.#onDemand.order(order);
  }

  /** Aborts all; no result comes after it. */
  stop(): void {
    this.#schedule.stop();
    this.#onDemand.stop();
  }
}
