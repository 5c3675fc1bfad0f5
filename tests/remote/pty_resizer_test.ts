import { assertEquals } from "@std/assert";
import { Resizer } from "../../lib/remote/pty.ts";
import type { TerminalSize } from "../../lib/remote/terminal_messages.ts";

function size(rows: number): TerminalSize {
  return { rows, columns: 80 };
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("Resizer.resize() applies one size at a time, and of a burst the last", async () => {
  const applied: number[] = [];
  let done = () => {};
  const resizer = new Resizer(({ rows }) => {
    applied.push(rows);
    return new Promise<void>((resolve) => done = resolve);
  });
  resizer.resize(size(1));
  resizer.resize(size(2));
  assertEquals(applied, [], "there is no terminal yet");
  resizer.start();
  for (let rows = 3; rows < 100; rows++) resizer.resize(size(rows));
  assertEquals(applied, [2]);
  done();
  await turn();
  assertEquals(applied, [2, 99]);
  done();
  await turn();
  resizer.resize(size(5));
  assertEquals(applied, [2, 99, 5]);
  resizer.resize(size(6));
  const closing = resizer.close();
  done();
  await closing;
  resizer.resize(size(7));
  assertEquals(applied, [2, 99, 5]);
});
