import { assertEquals } from "@std/assert";
import { listenForStop } from "../../lib/cli/stop_signal.ts";

function listen() {
  const handlers = new Map<string, () => void>();
  let nowMs = 0;
  let exits = 0;
  const { signal, isRestart } = listenForStop({
    addSignalListener: (name, handler) => void handlers.set(name, handler),
    exit: () => exits++,
    nowMs: () => nowMs,
  });
  return {
    send(name: string, atMs: number) {
      nowMs = atMs;
      handlers.get(name)?.();
    },
    state: () => ({ stopped: signal.aborted, restart: isRestart(), exits }),
  };
}

Deno.test("listenForStop() takes a repeat within a second for the same signal", () => {
  const { send, state } = listen();
  assertEquals(state(), { stopped: false, restart: false, exits: 0 });
  send("SIGINT", 5000);
  send("SIGINT", 5001);
  send("SIGTERM", 5999);
  assertEquals(state(), { stopped: true, restart: false, exits: 0 });
});

Deno.test("listenForStop() exits at once at a second signal after a second", () => {
  const { send, state } = listen();
  send("SIGTERM", 5000);
  send("SIGINT", 6000);
  assertEquals(state(), { stopped: true, restart: false, exits: 1 });
});

Deno.test("listenForStop() knows a restart from an end", () => {
  const { send, state } = listen();
  send("SIGUSR2", 0);
  assertEquals(state(), { stopped: true, restart: true, exits: 0 });
});
