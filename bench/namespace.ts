import type { Span } from "./process_cost.ts";

/** What a machine is full of, beside the agent. */
export interface Crowd {
  readonly connections: number;
  readonly interfaces: number;
  readonly mounts: number;
  readonly processes: number;
}

/** A machine of its own for one agent and its panel: namespaces of network, mounts and processes. */
export class MeasuredNamespace implements AsyncDisposable {
  readonly #init: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: LineReader;

  /** Starts to make the namespaces and to fill them; `folder` holds the bundles of the programs. */
  constructor(folder: string, crowd: Partial<Crowd>) {
    const init = new URL("namespace_init.ts", import.meta.url).pathname;
    this.#init = new Deno.Command("unshare", {
      args: [
        ...["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
        ...[Deno.execPath(), "run", "-A", "--no-prompt", "--no-check", init],
        ...[folder, JSON.stringify(crowd)],
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#init.stdin.getWriter();
    this.#output = new LineReader(this.#init.stdout);
  }

  /**
   * Waits until the namespaces are filled.
   *
   * @throws {Error} When this machine or this user can't have them; the reason is printed.
   */
  async ready(): Promise<void> {
    await this.#output.next();
  }

  /**
   * Starts an agent within, and returns its CPU per report in microseconds for each window.
   *
   * @throws {Error} When it ends before.
   */
  async measure(span: Span): Promise<number[]> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(span)}\n`));
    return JSON.parse(await this.#output.next());
  }

  /** Resolves when all processes within have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    // The first process exits at the end of its input, and the kernel ends the others before it.
    await this.#input.close().catch(() => undefined);
    await this.#init.status;
  }
}

/** Reads the lines of a stream one by one. */
export class LineReader {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** @throws {Error} At the end of the stream. */
  async next(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("Cannot read a line: the process exited");
      this.#text += value;
    }
  }
}
