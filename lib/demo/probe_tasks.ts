/**
 * The probes that the stand-in panel asks for, and the timers that order them.
 *
 * @module
 */

import type { WireTask } from "./contracts.ts";
import type { PanelNode } from "./node.ts";
import type { PanelState } from "./panel_state.ts";

/** One probe of each kind against the panel's own machine. */
export function loopbackTasks(port: number): WireTask[] {
  const here = `127.0.0.1:${port}`;
  return [
    { id: 1, name: "Ping", type: "icmp", target: "127.0.0.1", interval: 2 },
    { id: 2, name: "Connect", type: "tcp", target: here, interval: 3 },
    { id: 3, name: "Request", type: "http", target: `http://${here}/`, interval: 5 },
  ];
}

/** The task list as JSON, with the fields that an agent has to ignore. */
export function taskListJson(tasks: readonly WireTask[]): string {
  return JSON.stringify(
    tasks.map((task) => ({ ...task, weight: 0, clients: [], default_on: false })),
  );
}

/** The longest time that a timer of the runtime can be set for. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Orders each task's probe once per interval, beginning after one, until the signal aborts. */
export function schedulePings(
  { node, state, signal }: { node: PanelNode; state: PanelState; signal: AbortSignal },
): void {
  const timers = new Map<number, ReturnType<typeof setInterval>>();
  const stop = () => {
    for (const timer of timers.values()) clearInterval(timer);
    timers.clear();
  };
  const start = () => {
    stop();
    for (const { interval } of state.tasks) {
      const intervalMs = interval * 1000;
      const isUsable = intervalMs > 0 && intervalMs <= MAX_TIMER_MS;
      if (isUsable && !timers.has(interval)) {
        timers.set(interval, setInterval(() => orderAll(interval), intervalMs));
      }
    }
  };
  const orderAll = (interval: number) => {
    for (const task of state.tasks) {
      if (task.interval !== interval) continue;
      node.sendOrder({ ping: { id: task.id, kind: task.type, target: task.target } });
    }
  };
  start();
  state.subscribe((change) => {
    if ("tasks" in change) start();
  }, { signal });
  signal.addEventListener("abort", stop, { once: true });
}
