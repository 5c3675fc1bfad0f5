import { assertEquals } from "@std/assert";
import { FURTHER_CONNECTIONS, lostPings, slowConnections } from "../../lib/cli/doctor_loss.ts";
import { FakeTime } from "../fake_time.ts";
import { fakeConnect } from "../net/fake_connect.ts";
import { configOf } from "./fake_context.ts";

Deno.test("lostPings() is unknown where none is answered, as behind a firewall", async () => {
  const options = { config: configOf([]), signal: new AbortController().signal };
  // Without another option `ping` sends nothing there.
  assertEquals(await lostPings("255.255.255.255", options), undefined);
});

Deno.test("slowConnections() counts those that wait for a lost packet, and none that is refused", async () => {
  using time = new FakeTime();
  let count = 0;
  using _ = fakeConnect(({ signal }) => {
    const isLost = ++count <= 3;
    return new Promise((_, reject) => {
      if (!isLost) reject(new Deno.errors.ConnectionRefused());
      signal.addEventListener("abort", () => reject(new Error("stopped")));
    });
  });
  const { signal } = new AbortController();
  const slow = slowConnections("192.0.2.1", { port: 80, signal });
  await time.run(1_000);
  assertEquals([await slow, count], [3, FURTHER_CONNECTIONS]);
});
