import { assertEquals } from "@std/assert";
import { runtimeFolders, stateFolder } from "../../lib/state/paths.ts";
import { replaced } from "../replaced.ts";

const SYSTEM_RUNTIME = "/run/komari-agent-deno";

/** The folders of a user. */
function folders(uid: number, named: { runtimeDir: string; userRuntimeDir: string }): string[] {
  using _uid = replaced(Deno, { uid: () => uid });
  return runtimeFolders(named);
}

/** What every container has. */
function ofAll(uid: number): string[] {
  return Deno.build.os === "linux" ? [`/dev/shm/komari-agent-deno-${uid}`] : [];
}

Deno.test("runtimeFolders() names a service's alone, else the system's, the user's and what all have", () => {
  const named = { runtimeDir: "", userRuntimeDir: "/run/user/7/b" };
  assertEquals(folders(0, named), [SYSTEM_RUNTIME, "/run/user/7/b", ...ofAll(0)]);
  // An agent of the system's can be asked for by everybody.
  assertEquals(folders(7, named), ["/run/user/7/b", ...ofAll(7), SYSTEM_RUNTIME]);
  for (const uid of [0, 7]) {
    assertEquals(folders(uid, { ...named, runtimeDir: "/run/a" }), ["/run/a"]);
  }
});

Deno.test("runtimeFolders() leaves out what the system has not named", () => {
  const unnamed = { runtimeDir: "", userRuntimeDir: "" };
  assertEquals(folders(0, unnamed), [SYSTEM_RUNTIME, ...ofAll(0)]);
  assertEquals(folders(7, unnamed), [...ofAll(7), SYSTEM_RUNTIME]);
});

const SYSTEM_STATE = "/var/lib/komari-agent-deno";

/** The folder of a user, where the system's has an owner or is missing. */
function folderOf(
  uid: number,
  owner?: number,
  named: { stateDir?: string; userStateDir?: string } = {},
): string {
  const root = Deno.statSync("/");
  using _system = replaced(Deno, {
    uid: () => uid,
    statSync(path) {
      if (owner === undefined || path !== SYSTEM_STATE) {
        throw new Deno.errors.NotFound("no such folder");
      }
      return { ...root, uid: owner };
    },
  });
  return stateFolder({ stateDir: "", userStateDir: "/home/me/state", ...named });
}

Deno.test("stateFolder() takes the named one, else the system's for root and its owner, else the user's", () => {
  for (const uid of [0, 7]) assertEquals(folderOf(uid, 7, { stateDir: "/named" }), "/named");
  const own = "/home/me/state";
  const found = [folderOf(0), folderOf(7, 7), folderOf(7, 0), folderOf(7)];
  assertEquals(found, [SYSTEM_STATE, SYSTEM_STATE, own, own]);
  assertEquals(folderOf(7, undefined, { userStateDir: "" }), SYSTEM_STATE);
});
