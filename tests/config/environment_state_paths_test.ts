import { assertEquals } from "@std/assert";
import { statePaths } from "../../lib/config/environment.ts";

Deno.test("statePaths() takes the option before what systemd names, of whose list the first", () => {
  const env = { STATE_DIRECTORY: "/var/lib/a:/var/lib/b", HOME: "/home/me" };
  assertEquals(statePaths("/mine", env).stateDir, "/mine");
  assertEquals(statePaths("", env).stateDir, "/var/lib/a");
  assertEquals(statePaths("", {}), { stateDir: "", userStateDir: "" });
});

Deno.test("statePaths() finds the user's folder below XDG_STATE_HOME, else below the home", () => {
  const HOME = "/home/me";
  assertEquals(
    statePaths("", { HOME }).userStateDir,
    "/home/me/.local/state/komari-agent-deno",
  );
  assertEquals(
    statePaths("", { HOME, XDG_STATE_HOME: "/s" }).userStateDir,
    "/s/komari-agent-deno",
  );
  // The specification wants relative ones left aside.
  const relative = { HOME, XDG_STATE_HOME: "s", STATE_DIRECTORY: "s" };
  assertEquals(statePaths("", relative), {
    stateDir: "",
    userStateDir: "/home/me/.local/state/komari-agent-deno",
  });
});
