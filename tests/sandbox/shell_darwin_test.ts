import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { type DarwinQuery, DarwinShell } from "../../lib/sandbox/shell_darwin.ts";
import { isAlive } from "../exists.ts";
import { FakeTime } from "../fake_time.ts";
import { realUntil } from "../real_deadline.ts";
import { ofPrograms } from "./test_shell.ts";

/** A shell whose commands are these scripts and no others. */
function openShell(scripts: Readonly<Record<string, string>>) {
  const folder = ofPrograms(scripts);
  const shell = new DarwinShell({ path: folder.path });
  const dispose = async () => {
    using _folder = folder;
    await shell.close();
  };
  return Object.assign(shell, { folder, [Symbol.asyncDispose]: dispose });
}

/** What an error and all its causes say. */
function words(error: unknown): string {
  return error instanceof Error ? `${error.message}; ${words(error.cause)}` : "";
}

Deno.test("DarwinShell.ask() runs each command with the arguments that belong to it", async () => {
  const say = 'echo "$0 $*"; echo "second line, $LC_ALL ${KOMARI_AGENT_MENU-}"';
  const all = { sysctl: say, netstat: say, vm_stat: say, mount: say };
  await using shell = openShell(all);
  const asked = async (question: DarwinQuery) =>
    (await shell.ask(question)).replace(`${shell.folder.path}/`, "").split("\n");
  assertEquals(await asked("interfaces"), ["netstat -ibn", "second line, C "]);
  assertEquals(await asked("memory"), ["vm_stat ", "second line, C "]);
  assertEquals(await asked("mounts"), ["mount ", "second line, C "]);
  assertEquals((await asked("sockets"))[0], "sysctl net.inet.tcp.pcbcount net.inet.udp.pcbcount");
  assertMatch((await asked("facts"))[0] ?? "", /^sysctl hw\.model .*machdep\.cpu\.brand_string$/);
});

Deno.test("DarwinShell.ask() counts processes, limits CPU, and takes the output for what it is", async () => {
  const mount = `printf '%s\\n' '/dev/disk1 on /Volumes/* \\n %s $HOME (hfs)'; ulimit -t`;
  const ps = `[ "$*,$(ulimit -t)" = "-A -o pid=,2" ] && printf "  1\\n 20\\n300\\n"`;
  await using shell = openShell({ mount, ps });
  assertEquals(await shell.ask("mounts"), "/dev/disk1 on /Volumes/* \\n %s $HOME (hfs)\n2");
  assertEquals(await shell.ask("processes"), "3");
});

Deno.test("DarwinShell.ask() keeps long outputs apart when much is asked at once", async () => {
  const row = `en0 1500 <Link#4> ${"x".repeat(60)}`;
  const netstat = `i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); echo "$i ${row}"; done`;
  await using shell = openShell({ netstat, mount: netstat });
  for (let round = 0; round < 3; round++) {
    const asked = (["interfaces", "mounts"] as const).map((query) => shell.ask(query));
    const [rows = "", mounts] = await Promise.all(asked);
    assertEquals([rows.split("\n").length, rows.split("\n").at(-1)], [2000, `2000 ${row}`]);
    assertEquals(mounts, rows);
  }
});

Deno.test("DarwinShell.ask() says when a command is missing or says nothing", async () => {
  await using shell = openShell({ vm_stat: "exit 1", ps: ":" });
  const missing = await assertRejects(() => shell.ask("interfaces"), Error);
  assertEquals(words(missing), "Cannot run netstat; there is no such command; ");
  const silent = await assertRejects(() => shell.ask("memory"), Error);
  assertEquals(words(silent), "Cannot run vm_stat; it printed nothing; ");
  assertEquals(await shell.ask("processes"), "0");
});

Deno.test("DarwinShell.ask() gives up on a command that hangs, and others answer meanwhile", async () => {
  // The reader ends when somebody writes to the pipe, or when it is killed with the shell.
  const vm_stat = 'read -r line <"$0.pipe"; echo "$line"';
  await using shell = openShell({ vm_stat, netstat: "echo rows" });
  const made = await new Deno.Command("mkfifo", { args: [`${shell.folder.path}/vm_stat.pipe`] })
    .output();
  assert(made.success);
  {
    using time = new FakeTime();
    const asking = shell.ask("memory");
    asking.catch(() => {});
    await time.run(2_999);
    assertEquals(time.timers, 1);
    await time.run(1);
    const error = await assertRejects(() => asking, Error);
    assertEquals(words(error), "Cannot run vm_stat; it did not answer within 3 s; ");
  }
  assertEquals(await shell.ask("interfaces"), "rows");
  const again = await assertRejects(() => shell.ask("memory"), Error);
  assertEquals(words(again), "Cannot run vm_stat; the previous one is still running; ");
  await Deno.writeTextFile(`${shell.folder.path}/vm_stat.pipe`, "late\nmore\n");
  for (let answer = ""; answer !== "pages";) {
    await Deno.writeTextFile(`${shell.folder.path}/vm_stat`, "#!/bin/sh\necho pages\n");
    answer = await shell.ask("memory").catch(() => "");
  }
});

Deno.test("DarwinShell.close() ends what still runs", async () => {
  let pid: number | undefined;
  {
    await using shell = openShell({ mount: 'echo $$ >"$0.pid"; exec /bin/sleep 60' });
    const asked = assertRejects(() => shell.ask("mounts"), Error);
    const read = () => attempt(() => Deno.readTextFileSync(`${shell.folder.path}/mount.pid`)) ?? "";
    await realUntil(() => (pid = Number(read())) > 0);
    await shell.close();
    await asked;
  }
  await realUntil(() => !isAlive(pid ?? NaN));
});
