import { assert, assertEquals } from "@std/assert";
import { judgeAgent } from "../../lib/doctor/agent.ts";
import type { FoundService } from "../../lib/doctor/found_service.ts";
import { configOf } from "../cli/fake_context.ts";
import { healthOf } from "../cli/seen_health.ts";
import { realTurn } from "../fake_time.ts";
import { onLinux } from "../only_on.ts";

/** Nothing is installed here. */
const NONE: FoundService = {
  ...{ record: undefined, recordError: "", state: undefined, unit: undefined, settings: [] },
  ...{ scope: "system", runtimeFolder: "/run/x", programVersion: undefined, readConfig: undefined },
  install: "",
};

onLinux.test("doctor warns of an agent that has its token on the command line", async () => {
  const lines: readonly (readonly [args: string, isSeen: boolean])[] = [
    ["-t s3cret", true],
    ["-ts3cret", true],
    ["--token=s3cret", true],
    ["--token s3cret", true],
    ["--token-file FILE", false],
    ["--token-in header", false],
    ["--trace -e https://h/-t", false],
  ];
  for (const [line, isSeen] of lines) {
    const args = ["-c", "sleep 100; :", "sh", ...line.split(" ")];
    const child = new Deno.Command("sh", { args }).spawn();
    try {
      // It is empty until the program runs.
      while (Deno.readTextFileSync(`/proc/${child.pid}/cmdline`) === "") await realTurn();
      const health = healthOf({ pid: child.pid, acceptedAtMs: Date.now() });
      const { status, text } = judgeAgent(configOf(["doctor"]), health, NONE);
      assertEquals([status, text.includes("with -t")], [isSeen ? "warning" : "ok", isSeen], line);
      assert(!text.includes("s3cret"));
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
  }
});
