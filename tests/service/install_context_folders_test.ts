import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { lchownSync } from "node:fs";
import { UsageError } from "../../lib/config/usage_error.ts";
import {
  changeablePart,
  requireRootsFolder,
  trustedDeno,
} from "../../lib/service/install_context.ts";
import { replaced } from "../replaced.ts";
import { asRoot } from "../only_on.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { configOf, FakeSystem, installNow, USERS } from "./fake_system.ts";

asRoot.test("changeablePart() judges each link on the way, and what is behind a relative one", () => {
  using temp = new TempFolder();
  const path = Deno.realPathSync(temp.path);
  for (const name of ["roots", "theirs"]) Deno.mkdirSync(`${path}/${name}`);
  Deno.writeTextFileSync(`${path}/roots/file`, "");
  const link = (target: string, name: string) => {
    Deno.symlinkSync(target, `${path}/${name}`);
    return `${path}/${name}`;
  };
  assertEquals(changeablePart(`${link("theirs/../roots", "safe")}/file`), undefined);
  const theirs = link("../roots", "theirs/link");
  lchownSync(theirs, 4711, 4711);
  assertEquals(changeablePart(`${link("theirs/link", "chain")}/file`), theirs);
  const circle = link("circle", "circle");
  assertEquals(changeablePart(circle), circle);
});

inFolder.test("trustedDeno() refuses a Deno that the service's user can't access", async (temp) => {
  const folder = await Deno.realPath(temp.path);
  // The folder itself is closed to others, as such ones are.
  await Deno.mkdir(`${folder}/bin`);
  await Deno.writeTextFile(`${folder}/bin/deno`, "", { mode: 0o755 });
  const path = `${folder}/bin/deno`;
  const why = `Cannot run ${path} as agent: ${folder} is not accessible to other users`;
  assertThrows(() => trustedDeno(path, { user: "agent", isUpdated: false }), UsageError, why);
  assertEquals(trustedDeno(path, { user: "root", isUpdated: false }), path);
  assertEquals(trustedDeno(path, { user: "", isUpdated: false }), path, "a user's own service");
  await Deno.chmod(folder, 0o711);
  await Deno.symlink(path, `${folder}/link`);
  assertEquals(trustedDeno(`${folder}/link`, { user: "agent", isUpdated: false }), path);
  // Whoever starts a program must read it, too.
  for (const mode of [0o700, 0o711, 0o744]) {
    await Deno.chmod(path, mode);
    assertThrows(
      () => trustedDeno(path, { user: "agent", isUpdated: false }),
      UsageError,
      `: ${path} is not accessible`,
    );
  }
});

inFolder.test("trustedDeno() lets root run no Deno that other users can change", async (temp) => {
  const folder = await Deno.realPath(temp.path);
  await Deno.mkdir(`${folder}/bin`);
  const path = `${folder}/bin/deno`;
  await Deno.writeTextFile(path, "", { mode: 0o755 });
  assertEquals(trustedDeno(path, { user: "root", isUpdated: false }), path);
  const table = [[path, 0o757], [`${folder}/bin`, 0o777], [folder, 0o702]] as const;
  for (const [part, mode] of table) {
    const { mode: before } = await Deno.stat(part);
    await Deno.chmod(part, mode);
    const why =
      `Cannot run ${path} as root: users other than root can change ${part}; install Deno`;
    for (const run of [{ user: "root", isUpdated: false }, { user: "agent", isUpdated: true }]) {
      assertThrows(() => trustedDeno(path, run), UsageError, why);
    }
    await Deno.chmod(part, before ?? 0o755);
  }
  await Deno.chmod(`${folder}/bin`, 0o1777);
  assertEquals(changeablePart(path), undefined, "a sticky folder, such as /tmp");
});

asRoot.test("changeablePart() takes files of root and of the user who installs, and no others", async () => {
  using folder = new TempFolder();
  const path = await Deno.realPath(folder.path);
  const table: [owner: number, user: number, isChangeable: boolean][] = [
    [0, 0, false],
    [0, 4711, false],
    [4711, 4711, false],
    [4711, 0, true],
    [4712, 4711, true],
  ];
  for (const [owner, user, isChangeable] of table) {
    await Deno.chown(path, owner, 0);
    using _user = replaced(Deno, { uid: () => user });
    assertEquals(changeablePart(path), isChangeable ? path : undefined, `${owner}, ${user}`);
  }
  // The group of root may write, no other group may.
  await Deno.chown(path, 0, 0);
  await Deno.chmod(path, 0o770);
  assertEquals(changeablePart(path), undefined);
  await Deno.chown(path, 0, 4711);
  assertEquals(changeablePart(path), path);
});

asRoot.test("requireRootsFolder() refuses a folder below one that another user can change", async () => {
  await using fake = new FakeSystem({
    folders: ["srv/agents", "srv/roots", "run/openrc"],
    fakes: { ...USERS, "rc-service": "" },
  });
  const { system, root } = fake;
  const of = { system, option: "--install-dir" };
  requireRootsFolder("/srv/agents/not/made/yet", of);
  Deno.chownSync(`${root}/srv/agents`, 4711, 4711);
  // A link of that user's, in a folder where everybody may have one.
  Deno.mkdirSync(`${root}/srv/tmp`);
  Deno.chmodSync(`${root}/srv/tmp`, 0o1777);
  for (const [name, uid] of [["theirs", 4711], ["roots", 0]] as const) {
    Deno.symlinkSync(`${root}/srv/roots`, `${root}/srv/tmp/${name}`);
    lchownSync(`${root}/srv/tmp/${name}`, uid, uid);
  }
  // Root's link to a link of that user's, which leads to a folder of root's.
  Deno.symlinkSync(`${root}/srv/tmp/theirs`, `${root}/srv/chain`);
  requireRootsFolder("/srv/roots", of);
  requireRootsFolder("/srv/tmp/roots/x", of);
  for (
    const folder of ["/srv/agents", "/srv/agents/not/made/yet", "/srv/tmp/theirs/x", "/srv/chain"]
  ) {
    assertThrows(
      () => requireRootsFolder(folder, of),
      UsageError,
      `Cannot install as root below ${folder}: users other than root can change ${root}/srv/`,
    );
  }
  requireRootsFolder("/not-there-at-all/x", { ...of, system: { ...system, root: "" } });
  const before = fake.tree();
  for (const option of ["--install-dir", "--state-dir"]) {
    const words = ["install", "-e", "https://p.example", "-t", "t", option, "/srv/agents/x"];
    const why = `choose a folder for ${option} that`;
    await assertRejects(() => installNow(configOf(words), system), UsageError, why);
  }
  assertEquals(fake.tree(), before, "nothing was written");
});
