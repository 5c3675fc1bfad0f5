/**
 * Answers of JSON-RPC.
 *
 * @module
 */

import { type WireValue, writeWireJson } from "./wire_json.ts";

/** An answer of v2. */
export interface RpcReply {
  /** The status that goes with it by POST. */
  readonly status: 200 | 400;
  readonly body: string;
  /** Whether it is sent over a WebSocket too: to messages with an id and to unreadable ones. */
  readonly isWanted: boolean;
}

/** A failure, its number and words as the panel has them. */
export interface RpcError {
  readonly code: -32700 | -32600 | -32601 | -32602 | -32000;
  readonly message: string;
  readonly data?: string;
}

/** The message was taken. */
export function rpcResult(result: unknown, id: WireValue | undefined): RpcReply {
  return reply({ status: 200, id, rest: `"result":${JSON.stringify(result)}` });
}

/** The message was refused. */
export function rpcError(error: RpcError, id: WireValue | undefined): RpcReply {
  const { status, body, isWanted } = reply({
    status: 400,
    id,
    rest: `"error":${JSON.stringify(error)}`,
  });
  return { status, body, isWanted: isWanted || error.code === -32700 };
}

function reply(
  { status, id, rest }: { status: 200 | 400; id: WireValue | undefined; rest: string },
): RpcReply {
  const hasId = id !== undefined && id !== null;
  const name = hasId ? `"id":${writeWireJson(id)},` : "";
  return { status, body: `{"jsonrpc":"2.0",${name}${rest}}`, isWanted: hasId };
}
