import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { RpcFailure } from "../../lib/demo/rpc.ts";

/** An open WebSocket, the connection below it, and the name of the call that has opened it. */
export interface OpenSocket {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  readonly call: string;
}

/** Sends orders to the node. */
export interface OrderSender {
  sendCommand(command: string): string;
  sendPing(ping: { id: number; kind: string; target: string }): boolean;
}

/** A way in which the tests' panel misbehaves. A field that is absent leaves the usual behaviour. */
export interface TestFault {
  readonly name: string;
  /**
   * The calls that it affects: `upgrade` and `terminal` for WebSockets, others by `callName()`. Every
   * call when absent.
   */
  readonly calls?: readonly string[] | undefined;
  /** Answers a call, or leaves it without an answer. */
  readonly answerCall?: (response: ServerResponse) => void | Promise<void>;
  /** Answers an upgrade request on its raw connection; WebSockets that are open are closed. */
  readonly answerUpgrade?: (socket: Socket) => void | Promise<void>;
  /** Whether WebSockets stay open, but nothing is sent or read on them. */
  readonly isMute?: boolean;
  /** Whether the panel refuses connections; that affects all calls. */
  readonly isDown?: boolean;
  /** Misbehaves on each open WebSocket. */
  readonly playOnSocket?: (socket: OpenSocket) => void | Promise<void>;
  /** Delay of each answer, in milliseconds. */
  readonly delayMs?: number;
  /** The answer to each message of version 2. */
  readonly rpcFailure?: RpcFailure;
  /** Whether the panel lacks the newer columns of basic info. */
  readonly lacksNewerColumns?: boolean;
  /** Sends orders to the node as soon as it can be reached. */
  readonly sendOrders?: (orders: OrderSender, options: { signal: AbortSignal }) => Promise<void>;
}
