import { assertEquals } from "@std/assert";
import { runtimeFolders } from "../../lib/state/paths.ts";

const OF_ROOT = Deno.uid() === 0 ? ["/run/komari-agent-deno"] : [];
const OF_ALL = [
  ...(Deno.build.os === "linux" ? [`/dev/shm/komari-agent-deno-${Deno.uid()}`] : []),
  // An agent of the system's can be asked for by everybody.
  ...(Deno.uid() === 0 ? [] : ["/run/komari-agent-deno"]),
];

Deno.test("runtimeFolders() names the service's first, then the user's, then what all have", () => {
  assertEquals(runtimeFolders({ runtimeDir: "/run/a", userRuntimeDir: "/run/user/7/b" }), [
    "/run/a",
    ...OF_ROOT,
    "/run/user/7/b",
    ...OF_ALL,
  ]);
});

Deno.test("runtimeFolders() leaves out what the system has not named", () => {
  assertEquals(runtimeFolders({ runtimeDir: "", userRuntimeDir: "" }), [...OF_ROOT, ...OF_ALL]);
});
