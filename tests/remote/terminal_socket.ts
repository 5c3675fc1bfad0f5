import { FakeSocket } from "../panel/fake_socket.ts";

/** The connection of a terminal to a panel that a test plays. */
export class TerminalSocket extends FakeSocket {
  /** Everything that was shown; of much only the end. */
  text = "";
  readonly frames: Uint8Array[] = [];
  /** Set to lose all that is sent from now on. */
  failsToSend = false;
  /** Sends at the same time, at most. */
  mostAtATime = 0;
  #sending = 0;
  readonly #decoder = new TextDecoder();

  get isClosed(): boolean {
    return this.closeReason !== "";
  }

  /** Lets the panel type. */
  type(keys: string): void {
    this.say(new TextEncoder().encode(keys));
  }

  override async send(message: string | Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.failsToSend) throw new Error("Cannot send: the connection was reset");
    const bytes = typeof message === "string" ? new TextEncoder().encode(message) : message.slice();
    this.mostAtATime = Math.max(this.mostAtATime, ++this.#sending);
    await super.send("");
    this.#sending--;
    this.frames.push(bytes);
    this.text = (this.text + this.#decoder.decode(bytes, { stream: true })).slice(-1_000_000);
  }
}
