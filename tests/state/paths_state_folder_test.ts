import { assertEquals } from "@std/assert";
import { stateFolder } from "../../lib/state/paths.ts";

Deno.test("stateFolder() takes the named one, else the system's for root, else the user's", () => {
  const userStateDir = "/home/me/.local/state/komari-agent-deno";
  assertEquals(stateFolder({ stateDir: "/named", userStateDir }), "/named");
  const system = "/var/lib/komari-agent-deno";
  assertEquals(stateFolder({ stateDir: "", userStateDir: "" }), system);
  const expected = Deno.uid() === 0 ? system : userStateDir;
  assertEquals(stateFolder({ stateDir: "", userStateDir }), expected);
});
