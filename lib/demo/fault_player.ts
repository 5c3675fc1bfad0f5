/**
 * Plays the present fault on calls and on WebSockets.
 *
 * @module
 */

import { affects, type Fault, type RawSocket } from "./fault.ts";
import type { PanelState } from "./panel_state.ts";

/** An open WebSocket, and the name of the call that has opened it. */
export type OpenSocket = RawSocket & { readonly call: string };

/** Plays the fault of a state. */
export class FaultPlayer {
  readonly #state: PanelState;
  readonly #openSockets = new Set<OpenSocket>();

  constructor(state: PanelState) {
    this.#state = state;
  }

  /** The fault that affects a call. */
  faultOn(call: string): Fault | undefined {
    const { fault } = this.#state;
    return fault !== undefined && affects(fault, call) ? fault : undefined;
  }

  /** Whether nothing is sent or read. */
  isMute(call: string): boolean {
    return this.faultOn(call)?.isMute === true;
  }

  /** Plays faults on a WebSocket from now on. */
  track(open: OpenSocket): void {
    const { webSocket, socket, call } = open;
    webSocket.on("ping", (data) => {
      if (!this.isMute(call)) webSocket.pong(data, undefined, () => {});
    });
    // The library calls it to answer a close frame.
    const close = webSocket.close.bind(webSocket);
    webSocket.close = (code, reason) => {
      if (!this.isMute(call)) close(code, reason);
    };
    this.#openSockets.add(open);
    webSocket.on("close", () => this.#openSockets.delete(open));
    Promise.resolve(this.faultOn(call)?.playOnSocket?.(open)).catch(() => socket.destroy());
  }

  /** Plays a fault on the WebSockets that are open; one that prevents upgrades closes them. */
  async playOnOpenSockets(fault: Fault): Promise<void> {
    for (const open of [...this.#openSockets]) {
      if (!affects(fault, open.call)) continue;
      if (fault.playOnSocket !== undefined) await fault.playOnSocket(open);
      else if (fault.answerUpgrade !== undefined && fault.isMute !== true) open.socket.destroy();
    }
  }
}
