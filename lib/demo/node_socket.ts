/**
 * Serves a WebSocket of the node from its opening to its end.
 *
 * @module
 */

import type { WebSocket } from "ws";
import type { ApiContext } from "./api_routes.ts";
import { affects, isMute } from "./fault.ts";
import { waitWhenSlow } from "./fault_player.ts";
import { rpcCallName, socketCallName } from "./http_request.ts";
import type { MessageSink } from "./message_sink.ts";
import type { NodeSocket, PanelNode } from "./node.ts";
import { answerRpc } from "./rpc.ts";
import { parseWireObject, stringIn, writeWireJson } from "./wire_json.ts";

/** Everything that a WebSocket of the node needs. */
export type NodeSocketContext = Omit<ApiContext, "lacksNewerColumns" | "fault"> & {
  /** Time without data after which the panel drops a WebSocket. */
  readonly dataTimeoutMs: number;
};

/** Handles a message of v1; returns the error to answer, and nothing for a valid message. */
export function handleV1Message(
  message: string,
  context: { atMs: number; sink: MessageSink; node: PanelNode },
): string | undefined {
  const { atMs, sink, node } = context;
  const by = "v1 websocket";
  sink.checkForToken(message, { subject: by, atMs });
  const object = parseWireObject(message);
  if (object === undefined) {
    sink.reject(`${by}: is no JSON object`, atMs);
    return "Invalid JSON";
  }
  if (Object.hasOwn(object, "jsonrpc")) {
    // The panel stores a report of zeros without any error.
    sink.addViolations([`${by}: a message of v2`], atMs);
    node.onReport(1, { presence: false });
    return undefined;
  }
  const { type, ...rest } = object;
  const kind = type === undefined ? "" : stringIn(object, "type");
  if (kind === "ping_result") {
    const validation = sink.receive("ping result", { body: writeWireJson(rest), atMs, by });
    return validation.accepted ? undefined : "Invalid ping result format";
  }
  if (kind !== "" && kind !== "report") {
    sink.reject(`${by}: the type is unknown`, atMs);
    return "Unknown message type";
  }
  const validation = sink.receive("report", { body: writeWireJson(rest), atMs, by });
  if (validation.accepted) {
    node.onReport(1, { presence: false });
    return undefined;
  }
  return validation.answer.status === 400
    ? "Invalid report format"
    : validation.violations[0] ?? "out of range";
}

/** Serves a WebSocket until it closes or the context's signal aborts. */
export function serveNodeSocket(
  socket: WebSocket,
  options: { version: 1 | 2; context: NodeSocketContext },
): void {
  const { version, context } = options;
  const { node, state, sink, signal, dataTimeoutMs } = context;
  const connection: NodeSocket = {
    version,
    send: (message) => {
      if (!isMute(state.fault)) socket.send(message, () => {});
    },
    end: () => socket.terminate(),
  };
  let isAttached = false;
  let deadline: ReturnType<typeof setTimeout> | undefined;

  function restartDeadline(): void {
    clearTimeout(deadline);
    deadline = setTimeout(() => {
      if (isMute(state.fault)) restartDeadline();
      else socket.terminate();
    }, dataTimeoutMs);
  }

  function attach(): void {
    isAttached = true;
    node.attachSocket(connection);
    restartDeadline();
  }

  async function handleMessage(message: string): Promise<void> {
    state.count("socketMessages");
    if (isMute(state.fault)) return;
    if (isAttached) restartDeadline();
    const name = version === 2 ? rpcCallName(message) : socketCallName(message);
    const fault = state.fault !== undefined && affects(state.fault, name) ? state.fault : undefined;
    await waitWhenSlow(fault, { signal });
    if (fault?.name === "hang" || fault?.name === "mute-all") return;
    const atMs = Date.now();
    if (version === 2) {
      const reply = await answerRpc(message, {
        ...context,
        by: "v2 websocket",
        atMs,
        lacksNewerColumns: fault?.name === "no-extra-columns",
        fault,
      });
      if (reply.isSentOverSocket) connection.send(`${reply.body}\n`);
      return;
    }
    const error = handleV1Message(message, { atMs, sink, node });
    if (error !== undefined) connection.send(`${JSON.stringify({ error, status: "error" })}\n`);
    // The panel closes a connection whose first message is no JSON.
    if (error === "Invalid JSON" && !isAttached) connection.end();
    else if (!isAttached) attach();
  }

  if (version === 2) attach();
  if (context.generation.acceptsPings) {
    socket.on("ping", () => isAttached && restartDeadline());
  }
  socket.on("message", (data) => {
    handleMessage(new TextDecoder().decode(data)).catch(() => socket.terminate());
  });
  const stopDeadline = () => clearTimeout(deadline);
  signal.addEventListener("abort", stopDeadline, { once: true });
  socket.on("close", () => {
    stopDeadline();
    signal.removeEventListener("abort", stopDeadline);
    if (isAttached) node.detachSocket(connection);
  });
}
