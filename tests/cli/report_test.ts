import { assertRejects } from "@std/assert";
import { requireStopped } from "../../lib/cli/report.ts";
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
