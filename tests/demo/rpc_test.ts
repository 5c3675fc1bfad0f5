import { assertEquals } from "@std/assert";
import { PanelNode } from "../../lib/demo/node.ts";
import { PanelState } from "../../lib/demo/panel_state.ts";
import { FakeTime } from "../fake_time.ts";
import { answerRpc, rpcError, rpcResult } from "../../lib/demo/rpc.ts";

Deno.test("answerRpc() gives eight events at most with the answer to a report, the oldest first", async () => {
  const { signal } = new AbortController();
  const node = new PanelNode(new PanelState());
  for (let n = 0; n < 20; n++) node.queue.add({ method: "agent.exec", params: { n } });
  const context = { node, pullWaitMs: 0 };
  const eventsAfter = async (method: string, acknowledged: readonly string[]) => {
    const params = { report: {}, ack_event_ids: acknowledged };
    const message = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const { body } = await answerRpc(message, { by: "v2 post", atMs: 0, signal }, context);
    const events: { id: string; params: { n: number } }[] = JSON.parse(body).result.events;
    return { ids: events.map(({ id }) => id), numbers: events.map(({ params }) => params.n) };
  };
  const { ids, numbers } = await eventsAfter("agent.report", []);
  assertEquals(numbers, [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals((await eventsAfter("agent.report", ids)).numbers, numbers.map((n) => n + 8));
  assertEquals((await eventsAfter("agent.pull", [])).numbers.length, 12);
});

Deno.test("answerRpc() holds a pull by POST alone: over a WebSocket events come as they are", async () => {
  using time = new FakeTime();
  const { signal } = new AbortController();
  const node = new PanelNode(new PanelState());
  const context = { node, pullWaitMs: 1_000 };
  const message = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "agent.pull", params: {} });
  const pull = async (by: "v2 post" | "v2 websocket") => {
    let isAnswered = false;
    const answered = answerRpc(message, { by, atMs: 0, signal }, context)
      .then(() => void (isAnswered = true));
    await time.run(999);
    const before = isAnswered;
    await time.run(1);
    await answered;
    return before;
  };
  assertEquals([await pull("v2 websocket"), await pull("v2 post")], [true, false]);
});

Deno.test("an answer goes over a WebSocket where the message had an id, or could not be read", () => {
  const unreadable = { code: -32700, message: "parse error" } as const;
  const refused = { code: -32601, message: "method not found" } as const;
  const table: [reply: ReturnType<typeof rpcResult>, status: number, isSent: boolean][] = [
    [rpcResult({}, 0), 200, true],
    [rpcResult({}, null), 200, false],
    [rpcResult({}, undefined), 200, false],
    [rpcError(refused, "x"), 400, true],
    [rpcError(refused, null), 400, false],
    [rpcError(refused), 400, false],
    [rpcError(unreadable), 400, true],
  ];
  for (const [{ status, isSentOverSocket, body }, expected, isSent] of table) {
    assertEquals([status, isSentOverSocket], [expected, isSent], body);
    assertEquals("id" in JSON.parse(body), isSent && !body.includes("-32700"));
  }
});
