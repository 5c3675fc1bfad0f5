import { assertEquals, assertStringIncludes } from "@std/assert";
import { ownPlaces } from "../own_places.ts";
import { TempFolder } from "../temp_folder.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

Deno.test("run_source.ts passes arguments, output and exit code on", async () => {
  using home = new TempFolder();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", `${ROOT}build/run_source.ts`, "--no-such-flag"],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...ownPlaces(home.path) },
  }).output();
  assertEquals(code, 2);
  assertStringIncludes(new TextDecoder().decode(stderr), "--no-such-flag");
});
