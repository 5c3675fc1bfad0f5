import { realDeadline } from "../../real_deadline.ts";

/** Starts an agent's program again whenever it ends, as a service manager does. */
export class SupervisedAgent implements AsyncDisposable {
  /** How each run ended. */
  readonly ends: (number | Deno.Signal)[] = [];
  readonly #path: string;
  readonly #options: { args: readonly string[]; env: Readonly<Record<string, string>> };
  readonly #running: Promise<void>;
  #child: Deno.ChildProcess | undefined;
  #isStopped = false;
  #log = "";

  constructor(
    path: string,
    options: { args: readonly string[]; env: Readonly<Record<string, string>> },
  ) {
    this.#path = path;
    this.#options = options;
    this.#running = this.#run();
  }

  /** What all runs have written to standard error. */
  get log(): string {
    return this.#log;
  }

  /** Ends it for good. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    try {
      this.#child?.kill("SIGTERM");
    } catch {
      // It is between two runs.
    }
    try {
      await realDeadline(this.#running, { told: () => this.#log });
    } catch (error) {
      this.#child?.kill("SIGKILL");
      throw error;
    }
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#child = new Deno.Command(this.#path, {
        args: [...this.#options.args],
        env: { ...this.#options.env },
        stdin: "null",
        stdout: "null",
        stderr: "piped",
      }).spawn();
      const reading = this.#read(this.#child.stderr);
      const { code, signal } = await this.#child.status;
      this.ends.push(signal ?? code);
      // An update that it has started may still write there.
      void reading;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.#log += text;
  }
}
