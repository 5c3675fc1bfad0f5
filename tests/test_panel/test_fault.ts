import type { Fault } from "../../lib/demo/fault.ts";
import type { OpenSocket } from "../../lib/demo/stand_in_panel.ts";
import type { RpcFailure } from "../../lib/demo/rpc.ts";

/** Sends orders to the node. */
export interface OrderSender {
  sendCommand(command: string): string;
  sendPing(ping: { id: number; kind: string; target: string }): boolean;
}

/** A fault that may also spoil messages, or order too much. */
export interface TestFault extends Fault {
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
