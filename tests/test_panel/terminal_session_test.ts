import { EventEmitter } from "node:events";
import { assertEquals } from "@std/assert";
import { TerminalSession } from "./terminal_session.ts";
import { FakeTime } from "../fake_time.ts";

const MINUTES_MS = 60_000;

/** The agent's connection, without a network. */
class FakeConnection extends EventEmitter {
  /** What was sent, and whether it was binary. */
  readonly sent: [data: string | Uint8Array, isBinary: boolean][] = [];
  isTerminated = false;

  send(data: string | Uint8Array, { binary }: { binary: boolean }, done: () => void): void {
    this.sent.push([data, binary]);
    done();
  }

  terminate(): void {
    if (this.isTerminated) return;
    this.isTerminated = true;
    this.emit("close");
  }

  /** As the type of the library's. */
  // deno-lint-ignore no-explicit-any -- a fake has what is used of it
  get socket(): any {
    return this;
  }
}

/** A terminal, with what its listener has heard: output, or `undefined` at an end. */
function terminalOf() {
  const terminal = new TerminalSession("x");
  const heard: (string | undefined)[] = [];
  terminal.listen((output) => {
    heard.push(output && new TextDecoder().decode(output));
  }, new AbortController());
  return { terminal, heard };
}

Deno.test("TerminalSession ends after five minutes without an agent", () => {
  using time = new FakeTime();
  const { terminal, heard } = terminalOf();
  assertEquals([terminal.acceptsDial, terminal.isConnected], [false, false], "no browser yet");
  terminal.attachBrowser();
  time.tick(5 * MINUTES_MS - 1);
  assertEquals([terminal.acceptsDial, terminal.isOver, heard], [true, false, []]);
  time.tick(1);
  assertEquals([terminal.acceptsDial, terminal.isOver, heard], [false, true, [undefined]]);
});

Deno.test("TerminalSession lives as long as browser and agent are connected", () => {
  using time = new FakeTime();
  const { terminal } = terminalOf();
  terminal.attachBrowser();
  const agent = new FakeConnection();
  terminal.attach(agent.socket);
  time.tick(60 * MINUTES_MS);
  assertEquals([terminal.isConnected, agent.isTerminated, time.timers], [true, false, 0]);
});

Deno.test("TerminalSession waits five minutes for the side that is gone", () => {
  using time = new FakeTime();
  for (const gone of ["browser", "agent"]) {
    const { terminal, heard } = terminalOf();
    terminal.attachBrowser();
    const agent = new FakeConnection();
    terminal.attach(agent.socket);
    time.tick(10 * MINUTES_MS);
    if (gone === "browser") terminal.detachBrowser();
    else agent.terminate();
    assertEquals([agent.isTerminated, terminal.isConnected], [true, false]);
    assertEquals(terminal.acceptsDial, gone === "agent");
    assertEquals(heard.includes(undefined), true, "the page is told");
    time.tick(5 * MINUTES_MS - 1);
    assertEquals(terminal.isOver, false, gone);
    time.tick(1);
    assertEquals([terminal.isOver, time.timers], [true, 0], gone);
  }
});

Deno.test("TerminalSession goes on when both come back in time", () => {
  using time = new FakeTime();
  const { terminal } = terminalOf();
  terminal.attachBrowser();
  terminal.attach(new FakeConnection().socket);
  terminal.detachBrowser();
  time.tick(4 * MINUTES_MS);
  terminal.attachBrowser();
  time.tick(4 * MINUTES_MS);
  const again = new FakeConnection();
  terminal.attach(again.socket);
  time.tick(60 * MINUTES_MS);
  assertEquals([terminal.isConnected, again.isTerminated], [true, false]);
});

Deno.test("TerminalSession.attach() replaces the connection before, of which nothing counts", () => {
  const { terminal, heard } = terminalOf();
  terminal.attachBrowser();
  const [first, second] = [new FakeConnection(), new FakeConnection()];
  terminal.attach(first.socket);
  first.emit("message", new TextEncoder().encode("one "));
  terminal.attach(second.socket);
  assertEquals([first.isTerminated, second.isTerminated], [true, false]);
  first.emit("message", new TextEncoder().encode("late "));
  first.emit("close");
  second.emit("message", new TextEncoder().encode("two"));
  assertEquals([terminal.output, terminal.isConnected], ["one two", true]);
  assertEquals(heard.filter((output) => output !== ""), ["one ", undefined, "two"]);
  second.socket.close();
  assertEquals(second.isTerminated, true, "a close frame gets no answer");
  terminal.end();
});

Deno.test("TerminalSession.send() sends keystrokes as bytes, and messages as text", () => {
  const { terminal } = terminalOf();
  terminal.send("lost");
  const agent = new FakeConnection();
  terminal.attach(agent.socket);
  const key = Uint8Array.of(0x7b);
  for (const data of ["ls\r", key, '{"type":"resize"}']) terminal.send(data);
  assertEquals(agent.sent, [
    [new TextEncoder().encode("ls\r"), true],
    [key, true],
    ['{"type":"resize"}', false],
  ]);
});

Deno.test("TerminalSession.close() tells the agent, and ends it once", () => {
  using time = new FakeTime();
  const { terminal, heard } = terminalOf();
  terminal.attachBrowser();
  terminal.close();
  terminal.close();
  assertEquals([terminal.isOver, heard, time.timers], [true, [undefined], 0], "no agent");
  terminal.detachBrowser();
  assertEquals([heard, time.timers], [[undefined], 0], "nothing follows its end");
  const open = terminalOf();
  open.terminal.attachBrowser();
  const agent = new FakeConnection();
  open.terminal.attach(agent.socket);
  open.terminal.close();
  assertEquals(agent.sent, [['{"type":"close"}', false]]);
  assertEquals([open.terminal.isOver, agent.isTerminated, time.timers], [true, true, 0]);
  assertEquals(open.terminal.isConnected, false);
});
