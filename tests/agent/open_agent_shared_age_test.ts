import { assertEquals } from "@std/assert";
import { sharedAgeMs } from "../../lib/agent/open_agent.ts";
import { configOf } from "../metrics/config_of.ts";

Deno.test("sharedAgeMs() lets each of several panels have new values in each report", () => {
  const panel = (name: string) => ["-e", `https://${name}.example`, "-t", name];
  const [a, b] = [panel("a"), panel("b")];
  assertEquals(sharedAgeMs(configOf([...a, "-i", "2"])), 0, "nothing is shared");
  assertEquals(sharedAgeMs(configOf([...a, ...b, "-i", "2"])), 1_000);
  assertEquals(sharedAgeMs(configOf([...a, ...b])), 1_500, "of the usual interval");
  const config = configOf([...a, ...b, "-i", "8"]);
  const furtherPanels = config.furtherPanels.map((it) => ({ ...it, intervalSeconds: 2 }));
  assertEquals(sharedAgeMs({ ...config, furtherPanels }), 1_000, "of the shortest interval");
});
