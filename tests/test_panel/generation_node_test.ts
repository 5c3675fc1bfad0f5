import { assertEquals } from "@std/assert";
import { FakeTime } from "../fake_time.ts";
import { generations } from "./generation.ts";
import { GenerationNode } from "./generation_node.ts";
import { TestPanelState } from "./test_panel_state.ts";

Deno.test("GenerationNode is online for 35 s after a report or a pull, or as long as its WebSocket", () => {
  using time = new FakeTime();
  const generation = generations["1.5"];
  const node = new GenerationNode(new TestPanelState(), { generation, onOrder() {} });
  assertEquals([node.isOnline, node.isReachable], [false, false]);
  node.onContact();
  time.tick(34_999);
  assertEquals([node.isPresent, node.isOnline], [true, true]);
  node.onContact();
  time.tick(34_999);
  assertEquals(node.isOnline, true);
  time.tick(1);
  assertEquals([node.isPresent, node.isOnline], [false, false]);
  const connection = { version: "v2", send() {}, end() {} } as const;
  node.attach(connection);
  assertEquals([node.isPresent, node.isOnline], [false, true]);
  node.attach(connection);
  node.detach(connection);
  assertEquals([node.isOnline, node.isReachable], [false, false]);
  assertEquals(node.state.sockets, { present: undefined, opened: 2, closed: 1 });
});
