/**
 * Carries a terminal between the page and the agent.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { headOf } from "./exchange.ts";
import type { Orders } from "./orders.ts";
import { refuseForeignPage, refuseKeyless } from "./page_calls.ts";
import { writeRawAnswer } from "./upgrade.ts";
import type { WebSockets } from "./web_sockets.ts";

/** The path of the page's WebSocket; its query brings the key. */
export const TERMINAL_PATH = "/demo/terminal";

/** Answers the page's request for a terminal. */
export function answerPageTerminal(
  asking: { request: IncomingMessage; socket: Socket; head: Uint8Array },
  context: { orders: Orders; sockets: WebSockets; key: string | undefined },
): void {
  const head = headOf(asking.request);
  const refusal = refuseForeignPage(head) ?? refuseKeyless(head.query.get("key"), context.key);
  if (refusal !== undefined) return writeRawAnswer(asking.socket, refusal);
  context.sockets.accept(asking, {
    packs: false,
    use: (socket) => carry(socket, context.orders),
  });
}

function carry(socket: WebSocket, orders: Orders): void {
  socket.on("error", () => {});
  let id: string;
  try {
    id = orders.requestTerminal();
  } catch (error) {
    socket.send(error instanceof Error ? error.message : "It failed.", () => {});
    socket.close();
    return;
  }
  const terminal = orders.terminal(id);
  const gone = new AbortController();
  terminal.listen((output) => {
    if (output === undefined) socket.close();
    else if (output.length > 0) socket.send(output, { binary: true }, () => {});
  }, { signal: gone.signal });
  // Text is a message, such as a resize; keystrokes are bytes.
  socket.on("message", (data, isBinary) => {
    const bytes = new Uint8Array(data);
    terminal.send(isBinary ? bytes : new TextDecoder().decode(bytes));
  });
  socket.on("close", () => {
    gone.abort();
    terminal.end();
  });
}
