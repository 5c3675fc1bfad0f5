import { assertEquals } from "@std/assert";
import { formatUpdateState, isTrialOpen, updateFolder } from "../../lib/host/update_state.ts";

Deno.test("isTrialOpen() looks beside the program, and never throws", () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/agent`;
  try {
    assertEquals(isTrialOpen(path), false);
    Deno.mkdirSync(updateFolder(path));
    const state = `${folder}/agent.update/update.json`;
    const trial = {
      ...{ from: "1.0.0", to: "1.1.0", sha256: "0".repeat(64) },
      ...{ startedAtMs: 1, resumes: 0, isReturning: false },
    };
    Deno.writeTextFileSync(state, formatUpdateState({ failed: [], trial }));
    assertEquals(isTrialOpen(path), true);
    Deno.writeTextFileSync(state, formatUpdateState({ failed: [] }));
    assertEquals(isTrialOpen(path), false);
    Deno.writeTextFileSync(state, "");
    assertEquals(isTrialOpen(path), false);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
