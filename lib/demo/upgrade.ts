/**
 * Requests for WebSockets: refused, struck by a fault, or taken.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { delay } from "@std/async/delay";
import type { WebSocket } from "ws";
import { type Answer, jsonAnswer } from "./answer.ts";
import { refuseStranger, socketKind } from "./api.ts";
import { isMute, strikes } from "./fault.ts";
import { faultAnswer, playOnSocket, pour, type RawSocket } from "./fault_player.ts";
import { headOf, type RequestHead } from "./http_call.ts";
import { type NodeSocketContext, serveNodeSocket } from "./node_socket.ts";
import type { Orders } from "./orders.ts";
import type { WebSockets } from "./websockets.ts";

/** What a request for a WebSocket is answered with. */
export interface UpgradeContext {
  readonly node: NodeSocketContext;
  readonly orders: Orders;
  readonly sockets: WebSockets;
  /** The answer to paths that are of no WebSocket. */
  readonly page: Answer;
  /** Is told of each WebSocket. */
  readonly onOpen: (standing: RawSocket & { call: "upgrade" | "terminal" }) => void;
}

/** Answers a request for a WebSocket of an agent. */
export async function answerUpgrade(
  asking: { request: IncomingMessage; socket: Socket; head: Uint8Array },
  context: UpgradeContext,
): Promise<void> {
  const { socket } = asking;
  const { state, speaks, signal } = context.node;
  const head = headOf(asking.request);
  const kind = head.method === "GET" ? socketKind(head.path, { speaks }) : undefined;
  const call = kind === "terminal" ? "terminal" : kind === undefined ? undefined : "upgrade";
  const fault = state.fault !== undefined && strikes(state.fault, call) ? state.fault : undefined;
  const { atMs, method, path, headers } = head;
  const note = (status?: number) =>
    state.addCall({ atMs, method, path, headers, ...(status === undefined ? {} : { status }) });
  const answer = (answer: Answer) => {
    note(answer.status);
    writeRawAnswer(socket, answer);
  };

  const struck = fault === undefined ? undefined : faultAnswer(fault);
  if (struck !== undefined) return answer(struck);
  switch (fault?.name) {
    case "hang":
    case "mute-all":
    case "upgrade-hang":
      return note();
    case "close":
    case "refuse":
      note();
      socket.destroy();
      return;
    case "reset":
      note();
      socket.resetAndDestroy();
      return;
    case "endless":
    case "huge":
      note(200);
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n");
      return await pour(socket, fault.name === "huge" ? 1024 : Infinity);
    case "slow":
      await delay(fault.delayMs ?? 4000, { signal });
  }
  if (kind === undefined) return answer(context.page);
  const refusal = refuseStranger(head, context.node) ?? refuseTerminal(kind, head, context);
  if (refusal !== undefined) return answer(refusal);
  checkHead(head, context);
  context.sockets.accept(asking, {
    packs: kind === "v2",
    use: (webSocket) => {
      note(101);
      open(webSocket, { kind, head, context });
      const raw = { webSocket, socket };
      context.onOpen({ ...raw, call: kind === "terminal" ? kind : "upgrade" });
      if (fault !== undefined) playOnSocket(fault, raw).catch(() => socket.destroy());
    },
  });
}

/** Writes an answer on a connection that was to become a WebSocket, and ends it. */
export function writeRawAnswer(socket: Socket, { status, headers, body }: Answer): void {
  const bytes = new TextEncoder().encode(body);
  const all = { ...headers, "content-length": String(bytes.length), connection: "close" };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${status} Answer\r\n${lines.join("")}\r\n`);
  socket.end(bytes);
}

function refuseTerminal(
  kind: "v1" | "v2" | "terminal",
  head: RequestHead,
  context: UpgradeContext,
): Answer | undefined {
  return kind === "terminal" && context.orders.dialled(head.query.get("id") ?? "") === undefined
    ? jsonAnswer(404, { error: "Session not found", status: "error" })
    : undefined;
}

function checkHead({ headers, atMs }: RequestHead, { node: { intake } }: UpgradeContext): void {
  if (headers["sec-websocket-extensions"]?.includes("window_bits")) {
    intake.note(["upgrade: offers window bits"], atMs);
  }
}

function open(
  socket: WebSocket,
  { kind, head, context }: {
    kind: "v1" | "v2" | "terminal";
    head: RequestHead;
    context: UpgradeContext;
  },
): void {
  const { state, intake } = context.node;
  const close = socket.close.bind(socket);
  socket.on("error", () => {});
  socket.on("ping", (data) => {
    if (!isMute(state.fault)) socket.pong(data, undefined, () => {});
  });
  // The library calls it to answer a close; the panel does not on terminals, and not when mute.
  socket.close = (code, reason) => {
    if (isMute(state.fault)) return;
    if (kind === "terminal") socket.terminate();
    else close(code, reason);
  };
  if (kind !== "terminal") {
    serveNodeSocket(socket, { version: kind === "v2" ? 2 : 1, context: context.node });
    return;
  }
  const isFirst = context.orders.dialled(head.query.get("id") ?? "")?.attach(socket);
  if (isFirst === false) intake.note(["terminal: was dialled before"], head.atMs);
}
