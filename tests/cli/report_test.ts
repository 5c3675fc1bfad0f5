import { assertRejects, assertThrows } from "@std/assert";
import { requireDescriptors, requireStopped } from "../../lib/cli/report.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { HealthFile } from "../../lib/state/health_file.ts";

Deno.test("requireStopped() throws while an agent is running here", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    await requireStopped([folder]);
    const health = HealthFile.open([folder], { version: "1.2.3" });
    await assertRejects(() => requireStopped([folder]), Error, `process ${Deno.pid}`);
    health?.close();
    await requireStopped([folder]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("requireDescriptors() names a limit of open files that is too low, and what raises it", () => {
  requireDescriptors(undefined);
  requireDescriptors(64);
  assertThrows(() => requireDescriptors(63), UsageError, "may have 63 files open at a time");
});
