import { assertEquals } from "@std/assert";
import { PanelNode } from "../../lib/demo/node.ts";
import { PanelState } from "../../lib/demo/panel_state.ts";
import { FakeTime } from "../fake_time.ts";

Deno.test("PanelNode is online for 35 s after a report or a pull, or as long as its WebSocket", () => {
  using time = new FakeTime();
  const node = new PanelNode(new PanelState());
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
  node.detach(connection);
  assertEquals([node.isOnline, node.isReachable], [false, false]);
});

Deno.test("PanelNode.attach() ends the WebSocket before, and sends what waited over the new one", () => {
  const node = new PanelNode(new PanelState());
  const events: string[] = [];
  const connectionOf = (name: string) => ({
    version: "v2" as const,
    send: (message: string | Uint8Array) => {
      events.push(`${name} ${JSON.parse(String(message)).params.n}`);
    },
    end: () => void events.push(`${name} ends`),
  });
  node.onContact();
  node.sendOrder({ method: "agent.exec", params: { n: 1 } });
  const first = connectionOf("first");
  node.attach(first);
  node.attach(connectionOf("second"));
  node.detach(first);
  node.sendOrder({ method: "agent.exec", params: { n: 2 } });
  assertEquals(events, ["first 1", "first ends", "second 2"]);
  assertEquals(node.state.sockets, { present: "v2", opened: 2, closed: 1 });
});
