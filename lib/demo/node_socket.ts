/**
 * Messages over a WebSocket of v1.
 *
 * A WebSocket of the node, from its opening to its end.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import type { WebSocket } from "ws";
import type { ApiContext } from "./api.ts";
import { type Fault, isMute, strikes } from "./fault.ts";
import { rpcCallName, socketCallName } from "./http_call.ts";
import type { Intake } from "./message_sink.ts";
import type { Node, NodeSocket } from "./node.ts";
import { answerRpc } from "./rpc.ts";
import { parseWireObject, stringIn, writeWireJson } from "./wire_json.ts";

/** Takes a message; gives the error that is answered, and nothing to a good one. */
export function takeV1Message(
  message: string,
  context: { atMs: number; intake: Intake; node: Node },
): string | undefined {
  const { atMs, intake, node } = context;
  const by = "v1 websocket";
  intake.search(message, { what: by, atMs });
  const object = parseWireObject(message);
  if (object === undefined) {
    intake.refuse(`${by}: is no JSON object`, atMs);
    return "Invalid JSON";
  }
  if (Object.hasOwn(object, "jsonrpc")) {
    // The panel stores a report of zeros and says nothing.
    intake.note([`${by}: a message of v2`], atMs);
    node.reported(1, { presence: false });
    return undefined;
  }
  const { type, ...rest } = object;
  const kind = type === undefined ? "" : stringIn(object, "type");
  if (kind === "ping_result") {
    const verdict = intake.take("ping result", { body: writeWireJson(rest), atMs, by });
    return verdict.accepted ? undefined : "Invalid ping result format";
  }
  if (kind !== "" && kind !== "report") {
    intake.refuse(`${by}: the type is unknown`, atMs);
    return "Unknown message type";
  }
  const verdict = intake.take("report", { body: writeWireJson(rest), atMs, by });
  if (verdict.accepted) {
    node.reported(1, { presence: false });
    return undefined;
  }
  return verdict.answer.status === 400
    ? "Invalid report format"
    : verdict.violations[0] ?? "out of range";
}

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
