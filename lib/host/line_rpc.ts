interface Waiting {
  resolve(answer: string): void;
  reject(reason: unknown): void;
}

/** An answer's line is at most half as long, unless its asker expects more. */
const LINE_LIMIT = 8192;

/** So many requests may lie in a pipe that nobody reads. */
const UNREAD_LIMIT = 256;

/**
 * Requests and answers over the two pipes of a process: a line each, tied together by a number in
 * front, so that answers may come in any order.
 *
 * A process that dies, or that talks without end, fails all that wait; nothing ever hangs on it.
 */
export class RequestChannel {
  readonly #requests: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #encoder = new TextEncoder();
  readonly #answers: Promise<void>;
  readonly #onAnswer: (() => void) | undefined;
  readonly #lineLimit: number;
  #lastId = 0;
  #unread = 0;
  #end: Error | undefined;

  constructor(pipes: {
    requests: WritableStream<Uint8Array>;
    answers: ReadableStream<Uint8Array>;
    /** Told of each answer, also of those that nobody waits for any more. */
    onAnswer?: () => void;
    /** Characters; an answer that is longer ends the channel. */
    lineLimit?: number;
  }) {
    this.#lineLimit = pipes.lineLimit ?? LINE_LIMIT;
    this.#onAnswer = pipes.onAnswer;
    this.#requests = pipes.requests.getWriter();
    this.#answers = this.#listen(pipes.answers);
  }

  /** Whether it can't be used any more. */
  get ended(): boolean {
    return this.#end !== undefined;
  }

  /**
   * Asks, and gives the answer without its number.
   *
   * @throws {Error} When the other side has ended or does not read.
   */
  async ask(request: string, options: { signal?: AbortSignal } = {}): Promise<string> {
    const { signal } = options;
    signal?.throwIfAborted();
    this.#throwIfEnded();
    if (this.#unread >= UNREAD_LIMIT) throw new Error("Cannot ask the shell: it does not read");
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiting.set(id, { resolve, reject });
    try {
      this.#send(`${id} ${request}\n`);
      return await promise;
    } catch (error) {
      if (error === this.#end) this.#throwIfEnded();
      throw error;
    } finally {
      this.#waiting.delete(id);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Says something that has no answer. */
  tell(words: string): void {
    if (!this.#end) this.#send(`0 ${words}\n`);
  }

  /** Ends the requests; resolves when the other side has closed the answers. */
  async close(): Promise<void> {
    this.#fail(new Error("It was closed"));
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
      (cause) => this.#fail(new Error("Cannot write to it", { cause })),
    );
  }

  async #listen(answers: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for await (const chunk of answers) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) this.#answer(line);
        if (rest.length > this.#lineLimit) throw new Error("Its answer has no end");
      }
      this.#fail(new Error("It closed its end"));
    } catch (cause) {
      this.#fail(new Error("Cannot read from it", { cause }));
      await this.#requests.close().catch(() => {});
    }
  }

  #answer(line: string): void {
    const space = line.indexOf(" ");
    this.#waiting.get(Number(line.slice(0, space)))?.resolve(line.slice(space + 1));
    this.#onAnswer?.();
  }

  #fail(reason: Error): void {
    this.#end ??= reason;
    for (const { reject } of this.#waiting.values()) reject(this.#end);
  }
}
