/**
 * Plays a fault on a WebSocket that stands.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { bombFrame } from "./bomb.ts";
import type { Fault } from "./fault.ts";
import { deepMessage, garbageMessages, hugeMessage } from "./hostile_messages.ts";

/** A WebSocket and the connection below it. */
export interface RawSocket {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
}

/** Sends or does what the fault wants; nothing when it concerns no WebSocket that stands. */
export async function playOnSocket(
  fault: Fault,
  { webSocket, socket }: RawSocket,
): Promise<void> {
  switch (fault.name) {
    case "close-after-upgrade":
      socket.destroy();
      return;
    case "drop-mid-frame":
      // The head of a text of 100 bytes, and fewer of them.
      socket.write(Uint8Array.from([0x81, 100, ...new TextEncoder().encode('{"jsonrpc":')]));
      socket.destroySoon();
      return;
    case "huge-message":
      webSocket.send(hugeMessage(), { binary: false, compress: false }, () => {});
      return;
    case "garbage-message":
      for (const message of garbageMessages()) {
        webSocket.send(message, { binary: typeof message !== "string" }, () => {});
      }
      // A text that is no UTF-8.
      webSocket.send(Uint8Array.of(0xc3, 0x28), { binary: false }, () => {});
      return;
    case "deep-message":
      webSocket.send(deepMessage(), { compress: false }, () => {});
      return;
    case "bomb":
      socket.write(await bombFrame());
  }
}
