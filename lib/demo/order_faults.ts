/**
 * Faults that consist of orders, whatever way they take to the node.
 *
 * @module
 */

import type { Fault } from "./fault.ts";
import { hostileTargets } from "./hostile_tasks.ts";
import type { Orders } from "./orders.ts";

const PROBES = 10_000;
/** Nothing listens there. */
const CLOSED_PORT = 1;

/** Gives the orders of a fault; nothing when it consists of none, or no way leads to the node. */
export async function playOrders(
  fault: Fault,
  { orders, signal }: { orders: Orders; signal: AbortSignal },
): Promise<void> {
  switch (fault.name) {
    case "ping-flood":
      for (let id = 1; id <= PROBES; id++) {
        const target = id % 100 === 0
          ? hostileTargets[(id / 100) % hostileTargets.length] ?? ""
          : `127.0.0.1:${CLOSED_PORT}`;
        if (!orders.sendPing({ id, kind: "tcp", target })) return;
      }
      return;
    case "ping-black-hole": {
      const port = await openBlackHole(signal);
      for (let id = 1; id <= PROBES; id++) {
        if (!orders.sendPing({ id, kind: "http", target: `http://127.0.0.1:${port}/` })) return;
      }
      return;
    }
    case "exec-flood":
      for (let index = 0; index < 100; index++) orders.sendCommand(`echo ${index}; sleep 1`);
      return;
    case "exec-huge":
      orders.sendCommand("head -c 200000000 /dev/zero | tr '\\0' x");
      return;
    case "exec-endless":
      orders.sendCommand("yes");
  }
}

/** Listens on a free port of loopback, takes connections and never says a word. */
async function openBlackHole(signal: AbortSignal): Promise<number> {
  const { createServer } = await import("node:net");
  const connections = new Set<{ destroy(): void }>();
  const server = createServer((connection) => {
    connections.add(connection);
    connection.on("error", () => {});
    connection.once("close", () => connections.delete(connection));
    connection.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const end = () => {
    server.close();
    for (const connection of connections) connection.destroy();
  };
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
