import { assertEquals, assertRejects } from "@std/assert";
import { applySteps, type Step } from "../../lib/service/install_step.ts";
import { FakeSystem, USERS } from "./fake_system.ts";
import { asRoot } from "../only_on.ts";
import { replaced } from "../replaced.ts";
import { testsWith } from "../tests_with.ts";

const { signal } = new AbortController();
const CONFIG: Step = { do: "file", path: "/etc/a/config", text: "new", mode: 0o600, owner: "root" };

function fake(): FakeSystem {
  return new FakeSystem({ folders: [], fakes: USERS });
}

const withFake = testsWith(() => fake());

withFake.test("applySteps() keeps the old file, or none, when the owner does not exist", async (it) => {
  it.write("/etc/a/config", "old");
  const steps = [{ ...CONFIG, owner: "nobody-of-this-name" }];
  const error = await assertRejects(
    () => applySteps(steps, it.system, signal),
    Error,
    "Cannot create /etc/a/config",
  );
  assertEquals(String(error.cause), "Error: user nobody-of-this-name does not exist");
  assertEquals(it.text("/etc/a/config"), "old");
  const fresh = { ...CONFIG, path: "/etc/b/config", owner: "nobody-of-this-name" };
  await assertRejects(() => applySteps([fresh], it.system, signal), Error);
  assertEquals(it.tree("/etc/b"), []);
});

withFake.test("applySteps() leaves the mode of the caller's folder that is there", async (it) => {
  it.write("/root/file", "");
  Deno.chmodSync(`${it.root}/root`, 0o700);
  const steps = ["/root", "/opt/new"].map((path): Step => ({ do: "folder", path, mode: 0o755 }));
  await applySteps(steps, it.system, signal);
  const modes = ["/root", "/opt/new"].map((path) => Deno.statSync(it.root + path).mode ?? 0);
  assertEquals(modes.map((mode) => mode & 0o777), [0o700, 0o755]);
});

withFake.test("applySteps() leaves a folder that a disk is mounted on, and throws at any other error", async (it) => {
  it.write("/srv/disk/below/file", "");
  const remove = (path: string) => applySteps([{ do: "remove folder", path }], it.system, signal);
  await remove("/srv/disk/below");
  {
    const busy = Object.assign(new Error("mounted"), { code: "EBUSY" });
    using _ = replaced(Deno, { remove: () => Promise.reject(busy) });
    await remove("/srv/disk");
    // Another one is mounted below it.
    it.write("/srv/disk/below/file", "");
    await assertRejects(() => remove("/srv/disk"), Error, "Cannot remove");
  }
  using _ = replaced(Deno, { remove: () => Promise.reject(new Deno.errors.PermissionDenied("")) });
  await assertRejects(() => remove("/srv/disk"), Error, "Cannot remove");
});

withFake.test("applySteps() follows no symbolic link", async (it) => {
  it.write("/etc/passwd", "root");
  it.write("/etc/a/other", "");
  await Deno.symlink(`${it.root}/etc/passwd`, `${it.root}/etc/a/config`);
  await Deno.symlink(`${it.root}/etc/passwd`, `${it.root}/etc/a/config.new`);
  await applySteps([CONFIG], it.system, signal);
  assertEquals([it.text("/etc/passwd"), it.text("/etc/a/config")], ["root", "new"]);
  await Deno.symlink(`${it.root}/etc/passwd`, `${it.root}/etc/a/copy.new`);
  const from = `${it.root}/etc/a/config`;
  await applySteps([{ do: "copy", path: "/etc/a/copy", from, mode: 0o600 }], it.system, signal);
  assertEquals([it.text("/etc/passwd"), it.text("/etc/a/copy")], ["root", "new"]);
});

asRoot.test("applySteps() gives files, copies and folders to their owner and his group, or to that alone", async () => {
  const id = "case $1 in -u) echo 4711 ;; -g) echo 4712 ;; esac";
  await using it = new FakeSystem({ folders: [], fakes: { ...USERS, id } });
  const owner = "agent";
  const steps: readonly Step[] = [
    { do: "folder", path: "/srv/folder", mode: 0o700, owner },
    { do: "file", path: "/srv/file", text: "", mode: 0o600, owner },
    { do: "copy", path: "/srv/copy", from: it.system.program.path, mode: 0o600, owner },
    { do: "file", path: "/srv/group", text: "", mode: 0o640, groupOf: owner },
  ];
  await applySteps(steps, it.system, signal);
  for (const name of ["folder", "file", "copy", "group"]) {
    const { uid, gid } = await Deno.stat(`${it.root}/srv/${name}`);
    assertEquals([uid, gid], [name === "group" ? 0 : 4711, 4712], name);
  }
});
