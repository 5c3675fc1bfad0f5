import { assertEquals } from "@std/assert";
import { listenForStop } from "../../lib/cli/stop_signal.ts";
import { FakeTime } from "../fake_time.ts";

const EXITED = new Error("the process has exited");

/** Listens for signals that only the test sends, and counts how often the process would exit. */
class FakeSignals implements Disposable {
  readonly #time = new FakeTime();
  readonly #real = { addSignalListener: Deno.addSignalListener, exit: Deno.exit };
  readonly #handlers = new Map<string, () => void>();
  readonly #stop: ReturnType<typeof listenForStop>;
  #exits = 0;

  constructor() {
    Deno.addSignalListener = (name, handler) => void this.#handlers.set(name, handler);
    Deno.exit = (code) => {
      assertEquals(code, 1);
      this.#exits++;
      throw EXITED;
    };
    this.#stop = listenForStop();
  }

  /** Sends a signal so many milliseconds after the last one. */
  send(name: Deno.Signal, afterMs = 0): void {
    this.#time.tick(afterMs);
    try {
      this.#handlers.get(name)?.();
    } catch (error) {
      if (error !== EXITED) throw error;
    }
  }

  state() {
    return { stopped: this.#stop.aborted, exits: this.#exits };
  }

  [Symbol.dispose](): void {
    Object.assign(Deno, this.#real);
    this.#time[Symbol.dispose]();
  }
}

Deno.test("listenForStop() exits at once at a second signal after a second", () => {
  using repeated = new FakeSignals();
  assertEquals(repeated.state(), { stopped: false, exits: 0 });
  repeated.send("SIGINT", 5000);
  repeated.send("SIGINT", 1);
  repeated.send("SIGTERM", 998);
  assertEquals(repeated.state(), { stopped: true, exits: 0 });
  repeated.send("SIGINT", 1);
  assertEquals(repeated.state(), { stopped: true, exits: 1 });
});
