import { assertEquals } from "@std/assert";
import { statePlaces } from "../../lib/config/paths.ts";

Deno.test("statePlaces() takes the option before what systemd names, of whose list the first", () => {
  const env = { STATE_DIRECTORY: "/var/lib/a:/var/lib/b", HOME: "/home/me" };
  assertEquals(statePlaces("/mine", env).stateDir, "/mine");
  assertEquals(statePlaces("", env).stateDir, "/var/lib/a");
  assertEquals(statePlaces("", {}), { stateDir: "", userStateDir: "" });
});

Deno.test("statePlaces() finds the user's folder below XDG_STATE_HOME, else below the home", () => {
  const HOME = "/home/me";
  assertEquals(
    statePlaces("", { HOME }).userStateDir,
    "/home/me/.local/state/komari-agent-deno",
  );
  assertEquals(
    statePlaces("", { HOME, XDG_STATE_HOME: "/s" }).userStateDir,
    "/s/komari-agent-deno",
  );
  // The specification wants relative ones left aside.
  const relative = { HOME, XDG_STATE_HOME: "s", STATE_DIRECTORY: "s" };
  assertEquals(statePlaces("", relative), {
    stateDir: "",
    userStateDir: "/home/me/.local/state/komari-agent-deno",
  });
});
