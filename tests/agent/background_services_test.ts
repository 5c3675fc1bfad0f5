import { assertEquals } from "@std/assert";
import { BackgroundServices } from "../../lib/agent/background_services.ts";
import { resolveConfig } from "../../lib/config/config.ts";
import { readHealth } from "../../lib/state/health_reader.ts";
import { openMachine } from "../../lib/metrics/open_machine.ts";
import { V2_POST } from "../panel/transports.ts";

Deno.test({
  name: "PanelMonitors.open() has each panel in the health file, before any call has ended",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const folder = Deno.makeTempDirSync();
    try {
      const config = resolveConfig({
        args: ["-e", "https://p.example", "-t", "x"],
        env: { RUNTIME_DIRECTORY: folder },
        readText: () => "",
        readMode: () => 0o600,
      });
      const platform = { os: "linux", arch: "x86_64" };
      const machine = await openMachine(config, platform);
      const services = new BackgroundServices(machine, config, platform);
      services.monitors.open("p.example");
      assertEquals(readHealth([folder])?.panels.length, 1);
      services.monitors.open("q.example").onTransport(V2_POST);
      const panels = readHealth([folder])?.panels.map(({ panel, transport }) => [panel, transport]);
      assertEquals(panels, [["p.example", undefined], ["q.example", "v2 POST"]]);
      await services.close();
      await machine.close?.();
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});
