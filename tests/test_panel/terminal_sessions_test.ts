import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import type { Order } from "../../lib/demo/event_queue.ts";
import { PanelNode } from "../../lib/demo/node.ts";
import { PanelState } from "../../lib/demo/panel_state.ts";
import { TerminalSession } from "./terminal_session.ts";
import { TerminalSessions } from "./terminal_sessions.ts";
import { FakeTime } from "../fake_time.ts";

/** A node that keeps the orders that it gets while it can be reached. */
class RecordingNode extends PanelNode {
  readonly orders: Order[] = [];
  isThere = true;

  override sendOrder(order: Order): boolean {
    if (this.isThere) this.orders.push(order);
    return this.isThere;
  }
}

function sessionsOf() {
  const node = new RecordingNode(new PanelState());
  const closing = new AbortController();
  const sessions = new TerminalSessions(node, closing, (id) => new TerminalSession(id));
  return { node, closing, sessions };
}

Deno.test("TerminalSessions.request() takes a session up again, unless it is over or unknown", () => {
  using _ = new FakeTime();
  const { node, sessions } = sessionsOf();
  const id = sessions.request();
  const session = sessions.get(id);
  assertEquals(session.acceptsDial, true);
  assertEquals(sessions.request(id), id);
  assertEquals([sessions.get(id), sessions.unfinished(id)], [session, session]);
  session.end();
  assertEquals(sessions.unfinished(id), undefined);
  assertEquals(sessions.request(id), id);
  assertNotEquals(sessions.get(id), session, "a new one");
  const order = { method: "agent.terminal.request", params: { request_id: id } };
  assertEquals(node.orders, [order, order, order]);
  assertNotEquals(sessions.request(), id);
  assertEquals(sessions.unfinished("unknown"), undefined);
  assertThrows(() => sessions.get("unknown"), Error, "it was never requested");
});

Deno.test("TerminalSessions.request() keeps nothing of a terminal that can't be asked for", () => {
  using time = new FakeTime();
  const { node, sessions } = sessionsOf();
  node.isThere = false;
  assertThrows(() => sessions.request("x"), Error, "Cannot ask for a terminal");
  assertThrows(() => sessions.get("x"), Error, "it was never requested");
  assertEquals(time.timers, 0);
});

Deno.test("TerminalSessions end with the panel", () => {
  using time = new FakeTime();
  const { closing, sessions } = sessionsOf();
  const all = [sessions.request(), sessions.request()].map((id) => sessions.get(id));
  closing.abort();
  assertEquals(all.map(({ isOver }) => isOver), [true, true]);
  assertEquals(time.timers, 0);
});
