import { assertEquals } from "@std/assert";
import { stateFolder } from "../../lib/state/paths.ts";

const SYSTEM = "/var/lib/komari-agent-deno";

/** The folder of a user, where the system's has an owner or is missing. */
function folderOf(
  uid: number,
  { stateDir = "", userStateDir = "/home/me/state", owner }: {
    stateDir?: string;
    userStateDir?: string;
    owner?: number;
  } = {},
): string {
  const { uid: own, statSync } = Deno;
  Deno.uid = () => uid;
  Deno.statSync = (path) => {
    assertEquals(path, SYSTEM);
    if (owner === undefined) throw new Deno.errors.NotFound("no such folder");
    return { ...statSync("/"), uid: owner };
  };
  try {
    return stateFolder({ stateDir, userStateDir });
  } finally {
    Object.assign(Deno, { uid: own, statSync });
  }
}

Deno.test("stateFolder() takes the named one, else the system's for root and its owner, else the user's", () => {
  for (const uid of [0, 7]) assertEquals(folderOf(uid, { stateDir: "/named", owner: 7 }), "/named");
  assertEquals(folderOf(0), SYSTEM);
  assertEquals(folderOf(7, { owner: 7 }), SYSTEM);
  assertEquals(folderOf(7, { owner: 0 }), "/home/me/state");
  assertEquals(folderOf(7), "/home/me/state");
  assertEquals(folderOf(7, { userStateDir: "" }), SYSTEM);
});
