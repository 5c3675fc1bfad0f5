import { assertEquals } from "@std/assert";
import { PanelNode } from "../../lib/demo/node.ts";
import { PanelState } from "../../lib/demo/panel_state.ts";

Deno.test("PanelNode is reachable after a report or a pull, and until its WebSocket ends", () => {
  const node = new PanelNode(new PanelState());
  assertEquals(node.isReachable, false);
  node.onContact();
  assertEquals(node.isReachable, true);
  const connection = { send() {}, end() {} };
  node.attach(connection);
  assertEquals([node.connection, node.isReachable], [connection, true]);
  node.detach(connection);
  assertEquals([node.connection, node.isReachable], [undefined, false]);
  assertEquals([node.isReachable, node.sendPing({ id: 1, kind: "", target: "" })], [false, false]);
});

Deno.test("PanelNode.attach() ends the WebSocket before, and sends what waited over the new one", () => {
  const node = new PanelNode(new PanelState());
  const events: string[] = [];
  const connectionOf = (name: string) => ({
    send: (message: string) => {
      events.push(`${name} ${JSON.parse(message).params.n}`);
    },
    end: () => void events.push(`${name} ends`),
  });
  node.onContact();
  node.sendOrder({ method: "agent.exec", params: { n: 1 } });
  const first = connectionOf("first");
  node.attach(first);
  const second = connectionOf("second");
  node.attach(second);
  node.detach(first);
  node.sendOrder({ method: "agent.exec", params: { n: 2 } });
  assertEquals(events, ["first 1", "first ends", "second 2"]);
  assertEquals(node.connection, second);
});
