import { assertEquals } from "@std/assert";
import { runtimePaths } from "../../lib/config/environment.ts";

Deno.test("runtimePaths() takes systemd's first folder, and the user's own below it", () => {
  const env = { RUNTIME_DIRECTORY: "/run/a:/run/b", XDG_RUNTIME_DIR: "/run/user/7/", TMPDIR: "/t" };
  assertEquals(runtimePaths(env), {
    runtimeDir: "/run/a",
    userRuntimeDir: "/run/user/7/komari-agent-deno",
  });
  assertEquals(runtimePaths({ TMPDIR: "/t" }).userRuntimeDir, "/t/komari-agent-deno");
});

Deno.test("runtimePaths() has none where none is named by its full path", () => {
  const none = { runtimeDir: "", userRuntimeDir: "" };
  assertEquals(runtimePaths({}), none);
  assertEquals(runtimePaths({ RUNTIME_DIRECTORY: "a", XDG_RUNTIME_DIR: "b" }), none);
});
