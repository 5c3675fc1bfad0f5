/**
 * A WebSocket of the node, from its opening to its end.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import type { WebSocket } from "ws";
import type { ApiContext } from "./api.ts";
import { rpcCallName, socketCallName } from "./call_name.ts";
import { type Fault, isMute, strikes } from "./fault.ts";
import type { NodeSocket } from "./node.ts";
import { answerRpc } from "./rpc.ts";
import { takeV1Message } from "./v1_message.ts";

/** What a WebSocket of the node works with. */
export type NodeSocketContext = Omit<ApiContext, "oldPanel" | "fault"> & {
  /** How long a node may send no data before its WebSocket is dropped. */
  readonly silenceMs: number;
};

/** Serves a WebSocket until it ends or the context's signal aborts. */
export function serveNodeSocket(
  socket: WebSocket,
  options: { version: 1 | 2; context: NodeSocketContext },
): void {
  const { version, context } = options;
  const { node, state, intake, signal, silenceMs } = context;
  const own: NodeSocket = {
    version,
    send: (message) => {
      if (!isMute(state.fault)) socket.send(message, () => {});
    },
    end: () => socket.terminate(),
  };
  let isKnown = false;
  let silence: ReturnType<typeof setTimeout> | undefined;

  function heard(): void {
    clearTimeout(silence);
    silence = setTimeout(() => isMute(state.fault) ? heard() : socket.terminate(), silenceMs);
  }

  function introduce(): void {
    isKnown = true;
    node.connected(own);
    heard();
  }

  async function take(message: string): Promise<void> {
    state.count("socketMessages");
    if (isMute(state.fault)) return;
    if (isKnown) heard();
    const name = version === 2 ? rpcCallName(message) : socketCallName(message);
    const fault = state.fault !== undefined && strikes(state.fault, name) ? state.fault : undefined;
    if (fault?.name === "slow") await delay(fault.delayMs ?? 4000, { signal });
    if (fault !== undefined && isDeaf(fault)) return;
    const oldPanel = fault?.name === "no-extra-columns";
    const atMs = Date.now();
    if (version === 2) {
      const by = "v2 websocket";
      const reply = await answerRpc(message, { ...context, by, atMs, oldPanel, fault });
      if (reply.isWanted) own.send(`${reply.body}\n`);
      return;
    }
    const error = takeV1Message(message, { atMs, intake, node });
    if (error !== undefined) own.send(`${JSON.stringify({ error, status: "error" })}\n`);
    // The panel gives up on whoever begins with something else than JSON.
    if (error === "Invalid JSON" && !isKnown) own.end();
    else if (!isKnown) introduce();
  }

  if (version === 2) introduce();
  socket.on("message", (data) => {
    take(new TextDecoder().decode(data)).catch(() => socket.terminate());
  });
  const ended = () => clearTimeout(silence);
  signal.addEventListener("abort", ended, { once: true });
  socket.on("close", () => {
    ended();
    signal.removeEventListener("abort", ended);
    if (isKnown) node.disconnected(own);
  });
}

/** Whether a fault that strikes this very message swallows it. */
function isDeaf(fault: Fault): boolean {
  return fault.name === "hang" || fault.name === "mute-all";
}
