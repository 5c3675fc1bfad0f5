import { runtimeFolders, stateFolder } from "../../lib/state/paths.ts";
import { same } from "../cases.ts";
import { replaced } from "../replaced.ts";

const SYSTEM_RUNTIME = "/run/komari-agent-deno";

/** What every container has. */
function ofAll(uid: number): string[] {
  return Deno.build.os === "linux" ? [`/dev/shm/komari-agent-deno-${uid}`] : [];
}

Deno.test("runtimeFolders() names a service's alone, else the system's, the user's and what all have", () => {
  const own = "/run/user/7/b";
  same(([uid, userRuntimeDir, runtimeDir = ""]) => {
    using _uid = replaced(Deno, { uid: () => uid });
    return runtimeFolders({ runtimeDir, userRuntimeDir });
  }, [
    [[0, own], [SYSTEM_RUNTIME, own, ...ofAll(0)]],
    // An agent of the system's can be asked for by everybody.
    [[7, own], [own, ...ofAll(7), SYSTEM_RUNTIME]],
    [[0, ""], [SYSTEM_RUNTIME, ...ofAll(0)]],
    [[7, ""], [...ofAll(7), SYSTEM_RUNTIME]],
    [[0, own, "/run/a"], ["/run/a"]],
    [[7, own, "/run/a"], ["/run/a"]],
  ] as [[number, string, string?], string[]][]);
});

const SYSTEM_STATE = "/var/lib/komari-agent-deno";

Deno.test("stateFolder() takes the named one, else the system's for root and its owner, else the user's", () => {
  const root = Deno.statSync("/");
  const own = "/home/me/state";
  /** The folder of a user, where the system's has an owner or is missing. */
  same(([uid, owner, stateDir = "", userStateDir = own]) => {
    using _system = replaced(Deno, {
      uid: () => uid,
      statSync(path) {
        if (owner !== undefined && path === SYSTEM_STATE) return { ...root, uid: owner };
        throw new Deno.errors.NotFound("no such folder");
      },
    });
    return stateFolder({ stateDir, userStateDir });
  }, [
    [[0, 7, "/named"], "/named"],
    [[7, 7, "/named"], "/named"],
    [[0, undefined], SYSTEM_STATE],
    [[7, 7], SYSTEM_STATE],
    [[7, 0], own],
    [[7, undefined], own],
    [[7, undefined, "", ""], SYSTEM_STATE],
  ] as [[number, number | undefined, string?, string?], string][]);
});
