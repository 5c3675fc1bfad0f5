import { assertEquals } from "@std/assert";
import { StartupConfigs } from "../../lib/remote/remote_control.ts";
import { configOf } from "../metrics/config_of.ts";
import { FakeTime } from "../fake_time.ts";
import { FakeSender } from "./fake_panel.ts";

/** The requests that are answered when the panel takes no answer for so long. */
async function answeredAfter(outageMs: number): Promise<string[]> {
  using time = new FakeTime();
  const sender = new FakeSender();
  sender.beforeEach = () => {
    if (performance.now() < outageMs) throw new Error("the panel is away");
  };
  const configs = new StartupConfigs(sender, configOf());
  configs.handle({ kind: "startup config", requestId: "a" });
  await time.run(10 * 60_000);
  await configs.close();
  return sender.startupConfigs.map(({ requestId }) => requestId);
}

Deno.test("StartupConfigs.handle() tries for 20 s to send the configuration", async () => {
  assertEquals(await answeredAfter(10_000), ["a"]);
  assertEquals(await answeredAfter(60_000), []);
});

Deno.test("StartupConfigs.close() tries no more to send the configuration", async () => {
  using time = new FakeTime();
  const sender = new FakeSender();
  sender.beforeEach = () => Promise.reject(new Error("the panel is away"));
  const configs = new StartupConfigs(sender, configOf());
  configs.handle({ kind: "startup config", requestId: "a" });
  await time.run(100);
  assertEquals(time.timers, 1);
  await configs.close();
  assertEquals(time.timers, 0);
});
