import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { TrafficRequestFile } from "../../lib/state/traffic_request.ts";
import { inClosedFolder } from "../closed_folder.ts";

inClosedFolder.test("TrafficRequestFile carries a request to the agent, and its answer back", ({ path: folder }) => {
  using agent = TrafficRequestFile.create(folder);
  assertEquals(agent.request(), undefined);
  using user = TrafficRequestFile.open(folder);
  user?.ask({ id: "one", total: { sentBytes: 5 } });
  assertEquals(agent.request(), { id: "one", total: { sentBytes: 5 } });
  assertEquals(user?.answerTo("one"), undefined);
  agent.answer("one", "x".repeat(5000));
  assertEquals(agent.request(), undefined);
  assertEquals(user?.answerTo("one")?.length, 300);
  assertEquals(user?.answerTo("two"), undefined);
  agent.answer("one", "\x1b".repeat(5000));
  assertEquals(user?.answerTo("one")?.length, 300, "whatever it is made of");
  user?.ask({ id: "none", total: { sentBytes: 0, receivedBytes: 0 } });
  assertEquals(agent.request(), { id: "none", total: { sentBytes: 0, receivedBytes: 0 } });
  user?.ask({ id: "two", total: { receivedBytes: 7 } });
  assertEquals(agent.request(), { id: "two", total: { receivedBytes: 7 } });
  agent.answer("two", "");
  assertEquals(agent.request(), undefined, "a request that was fulfilled is none any more");
  assertEquals(user?.answerTo("two"), "");
  assertEquals((Deno.statSync(`${folder}/month.request`).mode ?? 0) & 0o777, 0o600);
  // A request of before the start is not wanted any more.
  user?.ask({ id: "three", total: { sentBytes: 9 } });
  using next = TrafficRequestFile.create(folder);
  assertEquals(next.request(), undefined);
});

inClosedFolder.test("TrafficRequestFile takes no request from a text that is none", (folder) => {
  using agent = TrafficRequestFile.create(folder.path);
  const path = `${folder.path}/month.request`;
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    Deno.writeTextFileSync(path, text);
    const { total } = agent.request() ?? { total: {} };
    assertEquals(Object.values(total).every(Number.isInteger), true);
  }));
  for (const sentBytes of [-1, 0.5, 2 ** 63, "5", null]) {
    Deno.writeTextFileSync(path, JSON.stringify({ id: "a", sentBytes, receivedBytes: 1 }));
    assertEquals(agent.request(), { id: "a", total: { receivedBytes: 1 } });
  }
});
