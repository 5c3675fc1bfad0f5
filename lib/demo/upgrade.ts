/**
 * Answers upgrade requests of an agent: refuses them, plays a fault, or opens a WebSocket.
 *
 * @module
 */

import type { WebSocket } from "ws";
import { refuseUnauthorized, type SocketKind, socketKindOf } from "./api_routes.ts";
import { affects, isMute, type RawSocket } from "./fault.ts";
import { playOnSocket, playOnUpgrade } from "./fault_player.ts";
import type { TransferRegistry } from "./file_transfers.ts";
import { type Answer, jsonAnswer, writeRawAnswer } from "./http_answer.ts";
import { readHead, type RequestHead } from "./http_request.ts";
import { type NodeSocketContext, serveNodeSocket } from "./node_socket.ts";
import type { UpgradeRequest, WebSocketAcceptor } from "./websocket_acceptor.ts";

/** Everything that the answer to an upgrade request depends on. */
export interface UpgradeContext {
  readonly node: NodeSocketContext;
  readonly transfers: TransferRegistry;
  readonly sockets: WebSocketAcceptor;
  /** The answer to paths that no WebSocket belongs to. */
  readonly page: Answer;
  /** Called with each WebSocket that opens. */
  readonly onOpen: (socket: RawSocket & { call: "upgrade" | "terminal" }) => void;
}

/** Answers an upgrade request. */
export async function answerUpgrade(
  request: UpgradeRequest,
  context: UpgradeContext,
): Promise<void> {
  const { socket } = request;
  const { state, generation, signal } = context.node;
  const head = readHead(request.request);
  const kind = head.method === "GET" ? socketKindOf(head.path, generation) : undefined;
  const call = kind === "terminal" ? "terminal" : kind === undefined ? undefined : "upgrade";
  const fault = state.fault !== undefined && affects(state.fault, call) ? state.fault : undefined;
  const { atMs, method, path, headers } = head;
  const onStatus = (status: number | undefined) =>
    state.addCall({ atMs, method, path, headers, status });
  const refuse = (answer: Answer) => {
    onStatus(answer.status);
    writeRawAnswer(socket, answer);
  };
  if (fault !== undefined && await playOnUpgrade(fault, { socket, onStatus, signal })) return;
  if (kind === undefined) return refuse(context.page);
  const refusal = refuseUnauthorized(head, context.node) ?? refuseTerminal(kind, head, context);
  if (refusal !== undefined) return refuse(refusal);
  checkExtensions(head, context);
  context.sockets.accept(request, {
    compress: kind === "v2",
    onOpen: (webSocket) => {
      onStatus(101);
      serve(webSocket, { kind, head, context });
      const raw = { webSocket, socket };
      context.onOpen({ ...raw, call: kind === "terminal" ? kind : "upgrade" });
      if (fault !== undefined) playOnSocket(fault, raw).catch(() => socket.destroy());
    },
  });
}

function refuseTerminal(
  kind: SocketKind,
  head: RequestHead,
  context: UpgradeContext,
): Answer | undefined {
  return kind === "terminal" &&
      context.node.orders.openTerminal(head.query.get("id") ?? "") === undefined
    ? jsonAnswer(404, { error: "Session not found", status: "error" })
    : undefined;
}

function checkExtensions({ headers, atMs }: RequestHead, { node }: UpgradeContext): void {
  if (headers["sec-websocket-extensions"]?.includes("window_bits")) {
    node.sink.addViolations(["upgrade: offers window bits"], atMs);
  }
}

function serve(
  socket: WebSocket,
  { kind, head, context }: { kind: SocketKind; head: RequestHead; context: UpgradeContext },
): void {
  const { state, sink } = context.node;
  const close = socket.close.bind(socket);
  socket.on("error", () => {});
  socket.on("ping", (data) => {
    if (!isMute(state.fault)) socket.pong(data, undefined, () => {});
  });
  // The library calls it to answer a close frame; the panel answers none on terminals.
  socket.close = (code, reason) => {
    if (isMute(state.fault)) return;
    if (kind === "terminal") socket.terminate();
    else close(code, reason);
  };
  if (kind !== "terminal") {
    serveNodeSocket(socket, { version: kind === "v2" ? 2 : 1, context: context.node });
    return;
  }
  const isFirst = context.node.orders.openTerminal(head.query.get("id") ?? "")?.attach(socket);
  if (isFirst === false) sink.addViolations(["terminal: was dialled before"], head.atMs);
}
