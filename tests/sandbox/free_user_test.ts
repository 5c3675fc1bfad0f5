import { assert, assertEquals } from "@std/assert";
import { findFreeUser, NOBODY } from "../../lib/sandbox/free_user.ts";
import { asRoot } from "../only_on.ts";
import { inFolder, type TempFolder } from "../temp_folder.ts";

/** A machine without processes, whose `/proc` has a namespace of these ids. */
function machineOf({ path }: TempFolder, map: string) {
  Deno.mkdirSync(`${path}/self`);
  for (const name of ["uid_map", "gid_map"]) Deno.writeTextFileSync(`${path}/self/${name}`, map);
  return { proc: path, hasProcess: () => false };
}

const WHOLE = "         0          0 4294967295\n";

inFolder.test("findFreeUser() gives an id of systemd's dynamic users, each as often", (proc) => {
  const machine = machineOf(proc, WHOLE);
  const of = (value: number) => findFreeUser({ ...machine, random: () => value });
  assertEquals([of(0), of(0.5), of(0.9999)], [61184, 63352, 65519]);
});

inFolder.test("findFreeUser() passes over ids that a process has", (proc) => {
  const machine = machineOf(proc, WHOLE);
  const hasProcess = (id: number) => [65519, 61184, 61185].includes(id);
  assertEquals(findFreeUser({ ...machine, random: () => 0.9999, hasProcess }), 61186);
});

asRoot.test("findFreeUser() sees a process of another user on this machine", async () => {
  const user = findFreeUser({ random: () => 0.5 });
  const child = new Deno.Command("sleep", { args: ["60"], uid: user, gid: user }).spawn();
  const next = findFreeUser({ random: () => 0.5 });
  child.kill("SIGKILL");
  await child.status;
  assert(next !== user || user === NOBODY, "where the container has no other");
});

inFolder.test("findFreeUser() passes over ids that a user may take in a namespace", (proc) => {
  const machine = machineOf(proc, WHOLE);
  const lent = { subuid: "\nmallory:1:61184\nnonsense\n:::\n", subgid: "eve:61186:2\nx:65519:1" };
  for (const [name, text] of Object.entries(lent)) {
    Deno.writeTextFileSync(`${proc.path}/${name}`, text);
  }
  const of = (value: number) => findFreeUser({ ...machine, etc: proc.path, random: () => value });
  assertEquals([of(0), of(0.0003), of(0.9999)], [61185, 61185, 61185]);
  Deno.writeTextFileSync(`${proc.path}/subuid`, "mallory:1:65535\n");
  // All are lent, and `nobody` is lent too, and has other programs.
  assertEquals(of(0), 61184);
});

inFolder.test("findFreeUser() gives ids of the container alone", (proc) => {
  const machine = machineOf(proc, "0 100000 1000\n62000 200000 1\n");
  assertEquals(findFreeUser({ ...machine, random: () => 0 }), 62000);
});

inFolder.test("findFreeUser() gives nobody where the container has no other", (proc) => {
  assertEquals(findFreeUser(machineOf(proc, "0 1000 1\n")), NOBODY);
});
