import { FakeSocket } from "../panel/fake_socket.ts";

/** The connection of a terminal to a panel that a test plays. */
export class TerminalSocket extends FakeSocket {
  /** Everything that was shown; of much only the end. */
  text = "";
  readonly frames: Uint8Array[] = [];
  /** Whether the panel answers pings, and so tells what it has received. */
  answersPings = true;
  /** Whether nothing of what is sent arrives, and nothing comes: over a line that is dead. */
  isSilent = false;
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

  override async ping(payload = new Uint8Array()): Promise<void> {
    await super.ping();
    if (!this.answersPings || this.isSilent) return;
    this.lastReceivedAtMs = performance.now();
    this.onPong?.(payload);
  }

  override async send(message: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const bytes = typeof message === "string" ? new TextEncoder().encode(message) : message.slice();
    this.mostAtATime = Math.max(this.mostAtATime, ++this.#sending);
    await super.send("");
    this.#sending--;
    if (this.isSilent) return;
    this.frames.push(bytes);
    this.text = (this.text + this.#decoder.decode(bytes, { stream: true })).slice(-1_000_000);
  }
}
