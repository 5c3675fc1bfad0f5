import { assertEquals } from "@std/assert";
import { lostPings } from "../../lib/cli/doctor_loss.ts";
import { configOf } from "./fake_context.ts";

Deno.test("lostPings() is unknown where none is answered, as behind a firewall", async () => {
  const options = { config: configOf([]), signal: new AbortController().signal };
  // Without another option `ping` sends nothing there.
  assertEquals(await lostPings("255.255.255.255", options), undefined);
});
