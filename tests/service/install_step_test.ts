import { assertEquals, assertRejects } from "@std/assert";
import { applySteps, effectiveSteps, type Step } from "../../lib/service/install_step.ts";
import { syncedPaths } from "../state/synced_paths.ts";
import { FakeSystem, USERS } from "./fake_system.ts";
import { asRoot } from "../only_on.ts";
import { testsWith } from "../tests_with.ts";

const { signal } = new AbortController();
const CONFIG: Step = { do: "file", path: "/etc/a/config", text: "new", mode: 0o600, owner: "root" };

function fake(): FakeSystem {
  return new FakeSystem({ folders: [], fakes: USERS });
}

const withFake = testsWith(() => fake());

withFake.test("applySteps() replaces a file and sets its mode", async (it) => {
  it.write("/etc/a/config", "old and longer");
  await Deno.chmod(`${it.root}/etc/a/config`, 0o666);
  it.write("/etc/a/config.new", "cut off");
  const synced = await syncedPaths(() => applySteps([CONFIG], it.system, signal));
  assertEquals(synced, [`${it.root}/etc/a/config.new`, `${it.root}/etc/a/`], "it is on the disk");
  assertEquals(it.text("/etc/a/config"), "new");
  const expected = ["/etc/a/ 755", "/etc/a/config 600"];
  assertEquals(it.tree().filter((line) => line.startsWith("/etc/a/")), expected);
});

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

withFake.test("applySteps() replaces a running program", async (it) => {
  const path = "/opt/program";
  it.write(path, "old");
  const open = await Deno.open(it.root + path);
  const copy: Step = { do: "copy", path, from: it.system.program.path, mode: 0o755 };
  await applySteps([copy], it.system, signal);
  const old = await new Response(open.readable).text();
  assertEquals(old, "old");
  const text = it.text(path);
  assertEquals(text, Deno.readTextFileSync(it.system.program.path));
  await applySteps([{ ...copy, from: it.root + path }], it.system, signal);
  assertEquals(it.text(path), text, "also with itself");
});

withFake.test("applySteps() removes files, and succeeds when they are missing", async (it) => {
  it.write("/opt/a/b", "");
  it.write("/opt/c/d", "");
  const before = it.tree();
  const empty: Step = { do: "remove empty folder", path: "/opt/a" };
  await applySteps([empty], it.system, signal);
  assertEquals(it.tree(), before);
  const steps: Step[] = [
    { do: "remove", path: "/opt/a/b" },
    empty,
    { do: "remove folder", path: "/opt/c" },
    { do: "remove", path: "/opt/c/d/e" },
  ];
  for (let round = 0; round < 2; round++) await applySteps(steps, it.system, signal);
  assertEquals(it.tree().filter((line) => line.startsWith("/opt/")), ["/opt/ 755"]);
});

withFake.test("applySteps() stops when aborted", async (it) => {
  const before = it.tree();
  const steps: Step[] = [{ do: "folder", path: "/opt/a", mode: 0o755 }];
  await assertRejects(() => applySteps(steps, it.system, AbortSignal.abort()), DOMException);
  assertEquals(it.tree(), before);
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

Deno.test("effectiveSteps() omits removals of what is missing", async () => {
  await using fake = new FakeSystem({ folders: ["srv/state"], fakes: {} });
  fake.write("/srv/config", "");
  const run = { tool: "true", args: [] };
  const there: Step[] = [
    { do: "remove", path: "/srv/config" },
    run,
    { do: "remove folder", path: "/srv/state" },
  ];
  const gone: Step[] = [
    { do: "remove", path: "/srv/config.new" },
    { do: "remove empty folder", path: "/srv/gone" },
  ];
  assertEquals(effectiveSteps([...gone, ...there], fake.system), there);
});
