import { assertEquals } from "@std/assert";
import { runtimePlaces } from "../../lib/config/paths.ts";

Deno.test("runtimePlaces() takes systemd's first folder, and the user's own below it", () => {
  const env = { RUNTIME_DIRECTORY: "/run/a:/run/b", XDG_RUNTIME_DIR: "/run/user/7/", TMPDIR: "/t" };
  assertEquals(runtimePlaces(env), {
    runtimeDir: "/run/a",
    userRuntimeDir: "/run/user/7/komari-agent-deno",
  });
  assertEquals(runtimePlaces({ TMPDIR: "/t" }).userRuntimeDir, "/t/komari-agent-deno");
});

Deno.test("runtimePlaces() has none where none is named by its full path", () => {
  const none = { runtimeDir: "", userRuntimeDir: "" };
  assertEquals(runtimePlaces({}), none);
  assertEquals(runtimePlaces({ RUNTIME_DIRECTORY: "a", XDG_RUNTIME_DIR: "b" }), none);
});
