/** Longest answer in characters: about twice the longest that the helper shell gives. */
const MAX_LINE_LENGTH = 8192;

/** Most answers are far shorter. Iterating over the stream would keep two times 64 KiB. */
const CHUNK_BYTES = 4096;

/** Requests that may be unread in the pipe. */
const MAX_UNREAD = 256;

/**
 * Requests and answers over the two pipes of a process: a line each, matched by a number in front,
 * so that answers may come in any order.
 *
 * When the process dies, or sends a line that is too long, all pending requests fail.
 */
export class LineRpc {
  readonly #requests: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, PromiseWithResolvers<string>>();
  readonly #encoder = new TextEncoder();
  readonly #answers: Promise<void>;
  readonly #onAnswer: ((id: number) => void) | undefined;
  readonly #maxLineLength: number;
  #lastId = 0;
  #unread = 0;
  #end: Error | undefined;

  constructor(pipes: {
    requests: WritableStream<Uint8Array>;
    answers: ReadableStream<Uint8Array<ArrayBuffer>>;
    /** Called with the number of each answer, also if its request was aborted; 0 after `notify()`. */
    onAnswer?: (id: number) => void;
    /** Longest answer in characters; a longer one ends the connection. */
    maxLineLength?: number;
  }) {
    this.#maxLineLength = pipes.maxLineLength ?? MAX_LINE_LENGTH;
    this.#onAnswer = pipes.onAnswer;
    this.#requests = pipes.requests.getWriter();
    this.#answers = this.#listen(pipes.answers);
  }

  /** Resolves when the process has ended or was closed. */
  get ended(): Promise<void> {
    return this.#answers;
  }

  /** Whether the process has ended. */
  get isEnded(): boolean {
    return this.#end !== undefined;
  }

  /**
   * Sends a request; resolves to the answer without its number.
   *
   * @throws {Error} When the other side has ended or does not read.
   */
  async ask(request: string, options: { signal?: AbortSignal } = {}): Promise<string> {
    const { signal } = options;
    signal?.throwIfAborted();
    this.#throwIfEnded();
    if (this.#unread >= MAX_UNREAD) throw new Error("Cannot ask the shell: it does not read");
    const id = ++this.#lastId;
    const pending = Promise.withResolvers<string>();
    const abort = () => pending.reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    this.#waiting.set(id, pending);
    try {
      this.#send(`${id} ${request}\n`);
      return await pending.promise;
    } catch (error) {
      if (error === this.#end) this.#throwIfEnded();
      throw error;
    } finally {
      this.#waiting.delete(id);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Resolves once all that was asked is in the pipe. */
  async written(): Promise<void> {
    // It has failed when the other side has ended, which whoever asks is told.
    await this.#requests.ready.catch(() => {});
  }

  /** Sends a request whose answer, if any, only `onAnswer` gets. */
  notify(request: string): void {
    if (!this.#end) this.#send(`0 ${request}\n`);
  }

  /** Closes the request pipe; resolves when the process has closed its answers. */
  async close(): Promise<void> {
    this.#fail(new Error("it was closed"));
    await this.#requests.close().catch(() => {});
    await this.#answers;
  }

  #throwIfEnded(): void {
    if (this.#end) throw new Error("Cannot ask the shell: it has ended", { cause: this.#end });
  }

  #send(line: string): void {
    this.#unread++;
    this.#requests.write(this.#encoder.encode(line)).then(
      () => this.#unread--,
      (cause) => this.#fail(new Error("Cannot write to its pipe", { cause })),
    );
  }

  async #listen(answers: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    const reader = answers.getReader({ mode: "byob" });
    const decoder = new TextDecoder();
    let buffer = new ArrayBuffer(CHUNK_BYTES);
    let rest = "";
    try {
      for (;;) {
        const { value, done } = await reader.read(new Uint8Array(buffer));
        if (done) break;
        const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
        buffer = value.buffer;
        rest = lines.pop() ?? "";
        for (const line of lines) this.#answer(line);
        if (rest.length > this.#maxLineLength) throw new Error("its answer is too long");
      }
      this.#fail(new Error("it closed its pipe"));
    } catch (cause) {
      this.#fail(new Error("Cannot read from its pipe", { cause }));
      await this.#requests.close().catch(() => {});
    }
  }

  #answer(line: string): void {
    const space = line.indexOf(" ");
    const id = Number(line.slice(0, space));
    this.#waiting.get(id)?.resolve(line.slice(space + 1));
    this.#onAnswer?.(id);
  }

  #fail(reason: Error): void {
    this.#end ??= reason;
    for (const { reject } of this.#waiting.values()) reject(this.#end);
  }
}
