/**
 * What the panel asks of an agent, in the shapes of both versions.
 *
 * @module
 */

/** A probe, a command or a terminal. */
export type Order =
  | { readonly ping: { readonly id: number; readonly kind: string; readonly target: string } }
  | { readonly exec: { readonly taskId: string; readonly command: string } }
  | { readonly terminal: { readonly requestId: string } };

/** A call of JSON-RPC from the panel to an agent; it never has an id. */
export interface OrderCall {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/** The order as a method and its parameters, as v2 names them. */
export function callOf(order: Order): OrderCall {
  if ("ping" in order) {
    const { id, kind, target } = order.ping;
    return {
      method: "agent.ping",
      params: { ping_task_id: id, ping_type: kind, ping_target: target },
    };
  }
  if ("exec" in order) {
    const { taskId, command } = order.exec;
    return { method: "agent.exec", params: { task_id: taskId, command } };
  }
  return {
    method: "agent.terminal.request",
    params: { request_id: order.terminal.requestId },
  };
}

/** The order as a message over a WebSocket; a terminal is asked for in the shape of v1 alone. */
export function orderMessage(order: Order, options: { version: 1 | 2 }): string {
  const { method, params } = callOf(order);
  if (options.version === 2 && !("terminal" in order)) return envelope({ method, params });
  const message = "ping" in order ? "ping" : "exec" in order ? "exec" : "terminal";
  return `${JSON.stringify({ message, ...params })}\n`;
}

/** A call in its envelope, with the line's end that the panel adds. */
export function envelope(call: OrderCall): string {
  return `${JSON.stringify({ jsonrpc: "2.0", ...call })}\n`;
}
