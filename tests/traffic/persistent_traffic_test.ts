import { assertEquals, assertStringIncludes } from "@std/assert";
import { openLinuxMachine } from "../../lib/metrics/machine.ts";
import { takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { readTraffic } from "../../lib/traffic/persistent_traffic.ts";
import { collectedLog } from "../log/collected_log.ts";
import { configOf } from "../metrics/config_of.ts";
import { FakeMachine } from "../metrics/fake_machine.ts";

/** What is logged when the month's traffic begins beside this file of the official agent. */
async function linesBeside(official: string): Promise<string[]> {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/net_static.json`;
  try {
    Deno.writeTextFileSync(path, official);
    const config = configOf(["--month-rotate", "1", "--state-dir", folder]);
    const machine = openLinuxMachine(new FakeMachine("debian-vm"), config);
    const lines = await collectedLog(() => {
      takeSnapshot(readTraffic(config, machine));
      return Promise.resolve();
    });
    return lines.map((line) => line.replace(/^\S+ /, "").replace(path, "FILE"));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("readTraffic() imports the official agent's count, or warns that it can't", async () => {
  const [imported, counting] = await linesBeside('{"interfaces": {}}');
  const text = "agent: Imported the month's traffic of the official agent from FILE";
  assertEquals(imported, `info    ${text}`);
  assertStringIncludes(counting ?? "", "info    agent: Counting the month's traffic: ");
  const [warning, ...more] = await linesBeside("[]");
  const reason = "Cannot parse net_static.json: not a JSON object";
  assertEquals(warning, `warning agent: Cannot import FILE: ${reason}`);
  assertEquals(more.length, 1);
});
