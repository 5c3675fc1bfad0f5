import { assertEquals } from "@std/assert";
import { effectiveSteps, runStep, type Step } from "../../lib/service/install_step.ts";
import { PaperSite } from "./fake_system.ts";

Deno.test("effectiveSteps() leaves out what is not there, comes twice, or goes with its folder", async () => {
  await using paper = new PaperSite({ folders: ["srv/state/run", "srv/empty"], fakes: {} });
  paper.write("/srv/state/log", "");
  paper.write("/srv/config", "");
  const config: Step = { do: "remove", path: "/srv/config" };
  const run = runStep({ tool: "true", args: [] });
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
  assertEquals(effectiveSteps(steps, paper.site), [config, run, state, empty, run]);
});
