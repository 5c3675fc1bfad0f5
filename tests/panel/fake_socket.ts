import type { CloseFrame, WebSocketConnection } from "../../lib/net/websocket.ts";

type Received = string | Uint8Array<ArrayBuffer>;

/** A WebSocket without a line: a test says what comes, and looks at what was sent. */
export class FakeSocket implements WebSocketConnection {
  readonly sent: string[] = [];
  pings = 0;
  lastReceivedAtMs = 0;
  closeReason = "";
  closeFrame: CloseFrame | undefined;
  wasLost = false;
  protocolError = false;
  onFrame: ((payloadBytes: number) => number) | undefined;
  onSkipped: WebSocketConnection["onSkipped"];
  onPong: ((payload: Uint8Array<ArrayBuffer>) => void) | undefined;
  /** Whether what is sent never gets away, as over a line that is stuck. */
  stuck = false;
  readonly #come: Received[] = [];
  #pause: ReturnType<typeof setTimeout> | undefined;
  readonly #stuck: PromiseWithResolvers<void>[] = [];
  #waiting: PromiseWithResolvers<Received | undefined> | undefined;

  send(message: Received): Promise<void> {
    if (this.closeReason !== "") return Promise.reject(new Error("the socket is closed"));
    this.sent.push(String(message));
    return this.#handOver();
  }

  ping(_payload?: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.closeReason !== "") return Promise.reject(new Error("the socket is closed"));
    this.pings++;
    return this.#handOver();
  }

  receive(): Promise<Received | undefined> {
    if (this.#waiting !== undefined) throw new Error("receive() was called again too early");
    this.#waiting = Promise.withResolvers();
    const { promise } = this.#waiting;
    this.#deliver();
    return promise;
  }

  close(): void {
    this.end("it was closed here");
  }

  /** The panel sends something: text and bytes as they are, all else as JSON. */
  say(message: unknown): void {
    this.lastReceivedAtMs = performance.now();
    this.#come.push(wireOf(message));
    this.#deliver();
  }

  /** The connection ends. */
  end(why: string): void {
    this.closeReason ||= why;
    clearTimeout(this.#pause);
    this.#pause = undefined;
    for (const { reject } of this.#stuck.splice(0)) reject(new Error(why));
    this.#deliver();
  }

  /** Lets what is stuck get away, and all that follows. */
  release(): void {
    this.stuck = false;
    for (const { resolve } of this.#stuck.splice(0)) resolve();
  }

  /** What the panel has been told, read. */
  get calls(): { id: number; method: string; params: unknown }[] {
    return this.sent.map((text) => JSON.parse(text));
  }

  #handOver(): Promise<void> {
    if (!this.stuck) return Promise.resolve();
    const handingOver = Promise.withResolvers<void>();
    this.#stuck.push(handingOver);
    return handingOver.promise;
  }

  #deliver(): void {
    if (this.#waiting === undefined || this.#pause !== undefined) return;
    const [next] = this.#come;
    const isOpen = this.closeReason === "";
    const pauseMs = isOpen && next !== undefined ? this.onFrame?.(next.length) ?? 0 : 0;
    if (pauseMs === 0 || this.closeReason !== "") return this.#resolve();
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#resolve();
    }, pauseMs);
  }

  #resolve(): void {
    const next = this.closeReason === "" ? this.#come.shift() : undefined;
    if (this.#waiting === undefined || (next === undefined && this.closeReason === "")) return;
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    resolve(next);
  }
}

function wireOf(message: unknown): Received {
  if (message instanceof Uint8Array) return new Uint8Array(message);
  return typeof message === "string" ? message : JSON.stringify(message);
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await Promise.resolve();
}
