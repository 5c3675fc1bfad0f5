/**
 * The probes that the stand-in panel asks for.
 *
 * @module
 */

/** A probe task as the panel sends it; an admin can save any type, target and interval. */
export interface WireTask {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly target: string;
  /** Seconds. */
  readonly interval: number;
}

/** One probe of each kind against the panel's own machine. */
export function loopbackTasks(port: number): WireTask[] {
  const here = `127.0.0.1:${port}`;
  return [
    { id: 1, name: "Ping", type: "icmp", target: "127.0.0.1", interval: 2 },
    { id: 2, name: "Connect", type: "tcp", target: here, interval: 3 },
    { id: 3, name: "Request", type: "http", target: `http://${here}/`, interval: 5 },
  ];
}

/** The task list as it stands on the wire, with the fields that an agent has to overlook. */
export function taskList(tasks: readonly WireTask[]): string {
  return JSON.stringify(
    tasks.map((task) => ({ ...task, weight: 0, clients: [], default_on: false })),
  );
}
