import { assertEquals } from "@std/assert";
import { effectiveSteps, type Step } from "../../lib/service/install_step.ts";
import { FakeSystem } from "./fake_system.ts";

Deno.test("effectiveSteps() omits removals that are missing, repeated or included in a folder", async () => {
  await using fake = new FakeSystem({ folders: ["srv/state/run", "srv/empty"], fakes: {} });
  fake.write("/srv/state/log", "");
  fake.write("/srv/config", "");
  const config: Step = { do: "remove", path: "/srv/config" };
  const run = { tool: "true", args: [] };
  const state: Step = { do: "remove folder", path: "/srv/state" };
  const empty: Step = { do: "remove empty folder", path: "/srv/empty" };
  const steps: Step[] = [
    { do: "remove", path: "/srv/state/log" },
    { do: "remove", path: "/srv/config.new" },
    config,
    run,
    state,
    state,
    { do: "remove folder", path: "/srv/state/run" },
    { do: "remove folder", path: "/srv/gone" },
    { do: "remove empty folder", path: "/srv/state" },
    empty,
    config,
    run,
  ];
  assertEquals(effectiveSteps(steps, fake.system), [config, run, state, empty, run]);
});
