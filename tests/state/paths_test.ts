import { assertEquals } from "@std/assert";
import { runtimeFolders } from "../../lib/state/paths.ts";

const SYSTEM = "/run/komari-agent-deno";

/** The folders of a user. */
function folders(uid: number, named: { runtimeDir: string; userRuntimeDir: string }): string[] {
  const { uid: own } = Deno;
  Deno.uid = () => uid;
  try {
    return runtimeFolders(named);
  } finally {
    Deno.uid = own;
  }
}

/** What every container has. */
function ofAll(uid: number): string[] {
  return Deno.build.os === "linux" ? [`/dev/shm/komari-agent-deno-${uid}`] : [];
}

Deno.test("runtimeFolders() names a service's alone, else the system's, the user's and what all have", () => {
  const named = { runtimeDir: "", userRuntimeDir: "/run/user/7/b" };
  assertEquals(folders(0, named), [SYSTEM, "/run/user/7/b", ...ofAll(0)]);
  // An agent of the system's can be asked for by everybody.
  assertEquals(folders(7, named), ["/run/user/7/b", ...ofAll(7), SYSTEM]);
  for (const uid of [0, 7]) {
    assertEquals(folders(uid, { ...named, runtimeDir: "/run/a" }), ["/run/a"]);
  }
});

Deno.test("runtimeFolders() leaves out what the system has not named", () => {
  const unnamed = { runtimeDir: "", userRuntimeDir: "" };
  assertEquals(folders(0, unnamed), [SYSTEM, ...ofAll(0)]);
  assertEquals(folders(7, unnamed), [...ofAll(7), SYSTEM]);
});
