/**
 * Orders the panel's probes at their intervals.
 *
 * @module
 */

import type { Node } from "./node.ts";
import type { PanelState } from "./panel_state.ts";

/** No timer is set for longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Orders each task's probe once an interval, the first time after one, until the signal aborts. */
export function schedulePings(
  { node, state, signal }: { node: Node; state: PanelState; signal: AbortSignal },
): void {
  const timers = new Map<number, ReturnType<typeof setInterval>>();
  const stop = () => {
    for (const timer of timers.values()) clearInterval(timer);
    timers.clear();
  };
  const plan = () => {
    stop();
    for (const { interval } of state.tasks) {
      const everyMs = interval * 1000;
      const isUsable = everyMs > 0 && everyMs <= LONGEST_TIMER_MS;
      if (isUsable && !timers.has(interval)) {
        timers.set(interval, setInterval(() => orderAll(interval), everyMs));
      }
    }
  };
  const orderAll = (interval: number) => {
    for (const task of state.tasks) {
      if (task.interval !== interval) continue;
      node.order({ ping: { id: task.id, kind: task.type, target: task.target } });
    }
  };
  plan();
  state.listen((news) => {
    if ("tasks" in news) plan();
  }, { signal });
  signal.addEventListener("abort", stop, { once: true });
}
