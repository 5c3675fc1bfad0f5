import { assert, assertEquals } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { findFreeUser, NOBODY } from "../../lib/sandbox/free_user.ts";
import { asRoot } from "../only_on.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";

/** Makes a `/proc` whose namespace has these ids, and these processes, each of a user. */
function fillProc({ path }: TempFolder, map: string, users: readonly number[] = []): void {
  Deno.mkdirSync(`${path}/self`);
  for (const name of ["uid_map", "gid_map"]) Deno.writeTextFileSync(`${path}/self/${name}`, map);
  for (const [index, user] of users.entries()) {
    Deno.mkdirSync(`${path}/${index + 1}`);
    Deno.chownSync(`${path}/${index + 1}`, user, user);
  }
}

const WHOLE = "         0          0 4294967295\n";

inFolder.test("findFreeUser() gives an id of systemd's dynamic users, each as often", (proc) => {
  fillProc(proc, WHOLE);
  const of = (value: number) => findFreeUser({ proc: proc.path, random: () => value });
  assertEquals([of(0), of(0.5), of(0.9999)], [61184, 63352, 65519]);
});

asRoot.test("findFreeUser() passes over ids that a process has", () => {
  using proc = new TempFolder();
  fillProc(proc, WHOLE, [0, 65519, 61184, 61185]);
  assertEquals(findFreeUser({ proc: proc.path, random: () => 0.9999 }), 61186);
});

inFolder.test("findFreeUser() gives ids of the container alone", (proc) => {
  fillProc(proc, "0 100000 1000\n62000 200000 1\n");
  assertEquals(findFreeUser({ proc: proc.path, random: () => 0 }), 62000);
});

inFolder.test("findFreeUser() gives nobody where the container has no other", (proc) => {
  fillProc(proc, "0 1000 1\n");
  assertEquals(findFreeUser({ proc: proc.path }), NOBODY);
});

Deno.test("findFreeUser() gives nobody where nothing tells, and on this machine one that no process has", () => {
  assertEquals(findFreeUser({ proc: "/no/such/folder" }), NOBODY);
  const user = findFreeUser();
  const users = [...Deno.readDirSync("/proc")].map(({ name }) =>
    attempt(() => Deno.statSync(`/proc/${name}`).uid)
  );
  assert(user === NOBODY || !users.includes(user), `${user}`);
});
