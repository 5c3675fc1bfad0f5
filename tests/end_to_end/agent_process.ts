import { assertEquals, assertLess } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { ownPlaces } from "../own_places.ts";
import { PATIENCE_MS } from "../patience.ts";
import { realDeadline } from "../real_deadline.ts";
import { UndisturbedTime } from "../undisturbed_time.ts";

/** Less than the shortest time-out of the agent's, 5 s: an end that took less has waited for none. */
const NO_TIMEOUT_MS = 4_500;
const LOOK_MS = 50;

/** Starts `main.ts` as users do, as a process of its own, and hands out what it logs. */
export class AgentProcess {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>[];
  /** Aborts the reading of what a program beyond reach holds open. */
  readonly #givenUp = new AbortController();
  #output = "";
  #hasEnded = false;
  readonly #waiting = new Set<() => void>();

  /**
   * `runtime` are flags of the runtime's own; `through` is a command that starts all of it;
   * `program` is a build that is started instead of `main.ts`, with flags of its own.
   */
  constructor(
    args: readonly string[],
    options: {
      env?: Record<string, string>;
      runtime?: readonly string[];
      through?: readonly string[];
      program?: string;
    } = {},
  ) {
    const runtime = ["-A", "--no-prompt", "--no-check", ...options.runtime ?? []];
    const started = options.program === undefined
      ? [Deno.execPath(), "run", ...runtime, MAIN]
      : [options.program];
    const [command = "", ...words] = [...options.through ?? [], ...started];
    const folder = Deno.makeTempDirSync();
    this.#child = new Deno.Command(command, {
      args: [...words, ...args],
      env: {
        NO_COLOR: "1",
        AGENT_IP_SERVICES: "off",
        AGENT_ALLOW_LOCAL_PROBES: "1",
        DENO: Deno.execPath(),
        ...ownPlaces(folder),
        ...options.env,
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reading = [this.#read(this.#child.stdout), this.#read(this.#child.stderr)];
    this.#child.status.finally(() => {
      this.#hasEnded = true;
      Deno.removeSync(folder, { recursive: true });
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Everything that was written so far, to both streams. */
  get output(): string {
    return this.#output;
  }

  /** Lines that say `words`. */
  lines(words: string): string[] {
    return this.#output.split("\n").filter((line) => line.includes(words));
  }

  /** Resolves when `words` were written; rejects when the process ends without them. */
  async says(words: string): Promise<void> {
    const ended = this.#child.status.then(() => Promise.all(this.#reading)).then(() => "ended");
    const patience = Promise.withResolvers<string>();
    const timer = setTimeout(() => patience.resolve("went on"), PATIENCE_MS);
    try {
      while (!this.#output.includes(words)) {
        const more = new Promise<string>((resolve) => this.#waiting.add(() => resolve("more")));
        const news = await Promise.race([more, ended, patience.promise]);
        if (news !== "more" && !this.#output.includes(words)) {
          throw new Error(`The process ${news} without "${words}":\n${this.#output}`);
        }
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends the signal, and gives the exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<{ code: number }> {
    this.#child.kill(signal);
    return await this.ends();
  }

  /** Sends the signal, and requires an end with this code that waits for no time-out. */
  async stopsAtOnce(signal: Deno.Signal = "SIGTERM", { code = 0 } = {}): Promise<void> {
    const time = new UndisturbedTime(this.pid);
    const looking = setInterval(() => time.ms, LOOK_MS);
    const stopped = await this.stop(signal).finally(() => clearInterval(looking));
    assertEquals(stopped.code, code, this.output);
    assertLess(time.ms, NO_TIMEOUT_MS);
  }

  /**
   * Waits for an end of its own accord, and for that of whatever else has its output open. What hangs is
   * ended by force.
   *
   * @throws {Error} When it hangs, with what hangs and what was written.
   */
  async ends({ ms = PATIENCE_MS } = {}): Promise<{ code: number }> {
    const started = this.#descendants();
    let hanging = `process ${this.pid}`;
    const ended = this.#child.status.then(async ({ code }) => {
      hanging = "a process that has its output open";
      await Promise.all(this.#reading);
      return { code };
    });
    try {
      return await realDeadline(ended, { ms, told: () => `${hanging}\n${this.output}` });
    } catch (error) {
      this.#kill(started);
      this.#givenUp.abort();
      throw error;
    }
  }

  /**
   * Ends it by force if a test has left it running, with all that it has started: an agent that gives
   * up root outlives the command that was to end with it.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#kill(this.#descendants());
    await this.ends();
  }

  /** Those of a process that has ended are beyond reach, and its number may be another's. */
  #descendants(): number[] {
    return this.#hasEnded ? [] : descendants(this.pid);
  }

  #kill(started: readonly number[]): void {
    // Each may have ended already.
    attempt(() => this.#child.kill("SIGKILL"));
    for (const pid of started) attempt(() => Deno.kill(pid, "SIGKILL"));
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    const write = (chunk: Uint8Array) => {
      this.#output += decoder.decode(chunk, { stream: true });
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      for (const wake of waiting) wake();
    };
    await stream.pipeTo(new WritableStream({ write }), { signal: this.#givenUp.signal })
      .catch((error) => this.#givenUp.signal.aborted || Promise.reject(error));
  }
}

/** The processes below one, none where there is no `/proc` or it has ended. */
function descendants(pid: number): number[] {
  try {
    const tasks = [...Deno.readDirSync(`/proc/${pid}/task`)];
    const children = tasks.flatMap(({ name }) => {
      const text = Deno.readTextFileSync(`/proc/${pid}/task/${name}/children`);
      return text.split(" ").filter((word) => word !== "").map(Number);
    });
    return children.flatMap((child) => [child, ...descendants(child)]);
  } catch {
    return [];
  }
}

const MAIN = new URL("../../main.ts", import.meta.url).pathname;
