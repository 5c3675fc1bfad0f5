import { assert, assertEquals, assertThrows } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import { replaced } from "../replaced.ts";
import { inFolder } from "../temp_folder.ts";

const PATH = Deno.env.get("PATH") ?? "";
const OPTIONS = { args: [], env: { PATH }, cwd: "/" };

async function endOf(child: Deno.ChildProcess): Promise<Deno.CommandStatus> {
  await Promise.all([child.stdin.close(), child.stdout.cancel(), child.stderr.cancel()]);
  return await child.status;
}

Deno.test("Programs.start() gives a session, a group and an environment of its own", async () => {
  const programs = new Programs();
  const child = programs.start("/bin/sh", {
    args: ["-c", "read line; env"],
    env: { ONLY: "this" },
    cwd: "/",
  });
  const process = programs.process(child.pid);
  assertEquals(process?.sessionId, child.pid);
  assertEquals(process?.processGroupId, child.pid);
  assertEquals(process?.parentPid, Deno.pid);
  assert((await programs.processes()).some(({ pid }) => pid === child.pid));
  await child.stdin.close();
  const [output] = await Promise.all([new Response(child.stdout).text(), child.stderr.cancel()]);
  await child.status;
  const names = output.trim().split("\n").map((line) => line.split("=")[0] ?? "");
  assertEquals(names.filter((name) => !["PWD", "_", "SHLVL", "OLDPWD"].includes(name)), ["ONLY"]);
});

Deno.test("Programs.start() throws when there is nothing to start", () => {
  const start = () => new Programs().start("/nowhere/at/all", OPTIONS);
  assertThrows(start, Error, "Cannot start /nowhere/at/all");
});

Deno.test("Programs.killGroup() reaches the group, and nobody when it is gone", async () => {
  const programs = new Programs();
  const child = programs.start("/bin/sh", { ...OPTIONS, args: ["-c", "sleep 1000 & wait"] });
  programs.killGroup(child.pid, "SIGKILL");
  assertEquals((await endOf(child)).signal, "SIGKILL");
  assertEquals(programs.process(child.pid), undefined);
  programs.killGroup(child.pid, "SIGKILL");
  programs.kill(child.pid, "SIGKILL");
});

Deno.test("Programs.kill() never means this process's own group, init or every process", () => {
  const reached: number[] = [];
  using _heard = replaced(Deno, { kill: (pid) => void reached.push(pid) });
  const programs = new Programs();
  for (const pid of [-2, -1, 0, 1, 2]) {
    programs.kill(pid, "SIGKILL");
    programs.killGroup(pid, "SIGKILL");
  }
  assertEquals(reached, [2, -2]);
});

Deno.test("Programs.run() tells whether it went well", async () => {
  const programs = new Programs();
  assertEquals(await programs.run("true", OPTIONS), true);
  assertEquals(await programs.run("false", OPTIONS), false);
  assertEquals(await programs.run("/nowhere/at/all", OPTIONS), false);
});

inFolder.test("Programs.find() looks along the path for what can be run", async (folder) => {
  await Deno.mkdir(`${folder.path}/a/tool`, { recursive: true });
  await Deno.mkdir(`${folder.path}/b`);
  await Deno.writeTextFile(`${folder.path}/b/tool`, "", { mode: 0o644 });
  const programs = new Programs();
  const path = `${folder.path}/none:${folder.path}/a:${folder.path}/b:.::${folder.path}/c`;
  assertEquals(programs.find("tool", path), undefined);
  await Deno.mkdir(`${folder.path}/c`);
  await Deno.writeTextFile(`${folder.path}/c/tool`, "", { mode: 0o755 });
  assertEquals(programs.find("tool", path), `${folder.path}/c/tool`);
  assertEquals(programs.isFolder(folder.path), true);
  assertEquals(programs.isFolder(`${folder.path}/c/tool`), false);
  assertEquals(programs.isFolder(`${folder.path}/none`), false);
});

inFolder.test("Programs.processes() passes over what is none or can't be read", async (proc) => {
  for (const name of ["1", "2", "3", "self", "12x"]) await Deno.mkdir(`${proc.path}/${name}`);
  const rest = "0 ".repeat(15);
  await Deno.writeTextFile(`${proc.path}/1/stat`, `1 (init) S 0 1 1 ${rest}77 0\n`);
  await Deno.writeTextFile(`${proc.path}/2/stat`, "nonsense");
  assertEquals(await new Programs({ proc: proc.path }).processes(), [
    { pid: 1, hasExited: false, parentPid: 0, processGroupId: 1, sessionId: 1, startTicks: 77 },
  ]);
  assertEquals(new Programs({ proc: proc.path }).cgroup(), "");
  await Deno.writeTextFile(`${proc.path}/self/cgroup`, "0::/here\n");
  assertEquals(new Programs({ proc: proc.path }).cgroup(), "0::/here\n");
});

const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

Deno.test("Programs.run() gives a program neither input nor output", async () => {
  const script = `
    import { Programs } from "${new URL("../../lib/host/programs.ts", import.meta.url)}";
    const args = ["-c", "cat; echo out; echo err >&2"];
    console.log(await new Programs().run("/bin/sh", { args, env: {}, cwd: "/" }));`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", `--config=${CONFIG}`, script],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [stdout, stderr] = [child.stdout, child.stderr].map((it) => new Response(it).text());
  assertEquals([await stdout, await stderr], ["true\n", ""]);
  await child.stdin.close();
  await child.status;
});
