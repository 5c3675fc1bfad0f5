import { assertEquals } from "@std/assert";
import { Registry } from "./registry.ts";
import { startTestPanel } from "./test_panel.ts";

const KEY = "k3y-of-twelve-letters";

function call(key: string, name = "host") {
  return { headers: { authorization: `Bearer ${key}` }, query: new URLSearchParams({ name }) };
}

Deno.test("Registry refuses a wrong key, and every key when its own is missing or too short", () => {
  for (const [panelKey, given] of [[KEY, "another"], ["", ""], ["short", "short"]] as const) {
    const registry = new Registry("first", panelKey);
    assertEquals(registry.register(call(given)).status, 403);
    assertEquals(registry.registrations, []);
  }
});

Deno.test("startTestPanel() accepts calls of registered nodes until they are removed", async () => {
  using panel = await startTestPanel({ discoveryKey: KEY });
  const register = `${panel.url}/api/clients/register?name=a%20b`;
  const headers = { authorization: `Bearer ${KEY}` };
  const answer = await fetch(register, { method: "POST", headers });
  const { data: { token } } = await answer.json();
  assertEquals(panel.registrations.map(({ name }) => name), ["Auto-a b"]);
  const tasks = async () => {
    const answer = await fetch(`${panel.url}/api/clients/ping/tasks?token=${token}`);
    await answer.body?.cancel();
    return answer.status;
  };
  assertEquals(await tasks(), 200);
  panel.removeNode(token);
  assertEquals(await tasks(), 401);
  const foreign = { ...headers, origin: "http://elsewhere.example" };
  const refused = await fetch(register, { method: "POST", headers: foreign });
  await refused.body?.cancel();
  assertEquals(refused.status, 403);
  assertEquals(panel.registrations.length, 1);
});
