import { assertEquals } from "@std/assert";
import type { Order } from "../../lib/demo/node.ts";
import { PanelNode } from "../../lib/demo/node.ts";
import { PanelState } from "../../lib/demo/panel_state.ts";
import { loopbackTasks, schedulePings } from "../../lib/demo/stand_in_panel.ts";
import { FakeTime } from "../fake_time.ts";

/** A node that keeps the tasks whose probes it is asked for. */
class AskedNode extends PanelNode {
  asked: Order["params"][] = [];

  override sendOrder({ params }: Order): boolean {
    this.asked.push(params);
    return true;
  }

  /** How often each task was asked for since the last call. */
  counts(): Record<string, number> {
    const all = Map.groupBy(this.asked, ({ ping_task_id }) => String(ping_task_id));
    this.asked = [];
    return Object.fromEntries([...all].map(([id, { length }]) => [id, length]));
  }
}

const task = (id: number, interval: number) => ({
  id,
  name: "",
  type: "tcp",
  target: "",
  interval,
});

Deno.test("schedulePings() orders each task once per interval of seconds, until the panel closes", () => {
  using time = new FakeTime();
  const node = new AskedNode(new PanelState());
  const closing = new AbortController();
  node.state.tasks = loopbackTasks(80);
  schedulePings(node, closing);
  time.tick(1_999);
  assertEquals(node.counts(), {});
  time.tick(1);
  assertEquals(node.asked, [{ ping_task_id: 1, ping_type: "icmp", ping_target: "127.0.0.1" }]);
  time.tick(28_000);
  assertEquals(node.counts(), { 1: 15, 2: 10, 3: 6 });
  // An administrator can save any interval.
  node.state.tasks = [task(4, 1), task(5, 1), task(6, 0), task(7, -1), task(8, 2_147_484)];
  time.tick(3_000);
  assertEquals(node.counts(), { 4: 3, 5: 3 }, "the tasks before are gone");
  assertEquals(time.timers, 1);
  closing.abort();
  assertEquals(time.timers, 0);
});
