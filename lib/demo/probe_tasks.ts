/**
 * The probes that the stand-in panel asks for, and the timers that order them.
 *
 * @module
 */

import type { PanelNode } from "./node.ts";
import type { WireTask } from "./panel_state.ts";

/** One probe of each kind against the panel's own machine. */
export function loopbackTasks(port: number): WireTask[] {
  const here = `127.0.0.1:${port}`;
  return [
    { id: 1, name: "Ping", type: "icmp", target: "127.0.0.1", interval: 2 },
    { id: 2, name: "Connect", type: "tcp", target: here, interval: 3 },
    { id: 3, name: "Request", type: "http", target: `http://${here}/`, interval: 5 },
  ];
}

/** The longest time that a timer of the runtime can be set for. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Orders each task's probe once per interval, beginning after one, until the signal aborts. */
export function schedulePings(node: PanelNode, { signal }: { signal: AbortSignal }): void {
  const { state } = node;
  let timers: ReturnType<typeof setInterval>[] = [];
  const stop = () => {
    for (const timer of timers) clearInterval(timer);
  };
  const orderAll = (interval: number) => {
    for (const task of state.tasks) {
      const { id, type: kind, target, reference } = task;
      if (task.interval === interval) node.sendPing({ id, kind, target, reference });
    }
  };
  const restart = () => {
    stop();
    timers = Array.from(new Set(state.tasks.map(({ interval }) => interval)))
      .filter((interval) => interval > 0 && interval * 1000 <= MAX_TIMER_MS)
      .map((interval) => setInterval(() => orderAll(interval), interval * 1000));
  };
  restart();
  state.subscribe((change) => {
    if ("tasks" in change) restart();
  }, { signal });
  signal.addEventListener("abort", stop, { once: true });
}
