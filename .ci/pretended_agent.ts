// Holds health files in the folders that it is given, as a running agent does, until it is killed.

import { HealthFile } from "../lib/state/health_file.ts";

for (const folder of Deno.args) {
  const health = HealthFile.open([folder], { version: "0.0.0-another" });
  if (health === undefined) throw new Error(`Cannot pretend to be an agent in ${folder}`);
  health.setSeal("another");
  const at = { panel: "another.example", transport: "v2 websocket", sinceMs: Date.now() };
  const panel = { ...at, failures: 0, probes: 0, acceptedAtMs: Date.now() + 86_400_000 };
  health.setPanels([panel], { now: true });
  health.accepted(86_400_000);
}
console.log("ready");
await new Promise<void>((resolve) => setTimeout(resolve, 2 ** 31 - 1));
