import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  isAttachedToTerminal,
  runsProgram,
  sharesServiceWith,
  systemdUnitOf,
} from "../../lib/update/processes.ts";
import { writeExecutable } from "../executable.ts";
import { FAKE_PID, FakeProc, statOf } from "./fake_proc.ts";
import { TempFolder } from "../temp_folder.ts";
import { onLinux } from "../only_on.ts";

onLinux.test("runsProgram() knows a program by its file, also when another has taken its place", async () => {
  assertEquals(await runsProgram(Deno.pid, Deno.realPathSync(Deno.execPath())), true);
  using temp = new TempFolder();
  const folder = Deno.realPathSync(temp.path);
  const path = `${folder}/agent`;
  Deno.copyFileSync("/bin/sleep", path);
  const child = new Deno.Command(path, { args: ["1000"] }).spawn();
  assertEquals(await runsProgram(child.pid, path), true);
  Deno.writeTextFileSync(`${path}.new`, "");
  Deno.renameSync(`${path}.new`, path);
  assertEquals(await runsProgram(child.pid, path), true);
  assertEquals(await runsProgram(child.pid, `${folder}/other`), false);
  child.kill("SIGKILL");
  await child.status;
  assertEquals(await runsProgram(child.pid, path), false);
});

onLinux.test("runsProgram() knows a script among a process's words, however it was called", async () => {
  using temp = new TempFolder();
  const folder = Deno.realPathSync(temp.path);
  const path = `${folder}/agent`;
  writeExecutable(path, "#!/bin/sh\necho there\nread -r word\n");
  Deno.symlinkSync(path, `${folder}/link`);
  for (const called of ["./agent", path, "./link"]) {
    const child = new Deno.Command(called, { cwd: folder, stdin: "piped", stdout: "piped" })
      .spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    assertEquals(await runsProgram(child.pid, path), true, called);
    assertEquals(await runsProgram(child.pid, `${folder}/link`), false);
    await reader.cancel();
    await child.stdin.close();
    await child.status;
  }
});

Deno.test("sharesServiceWith() is false for children of a shell", async () => {
  await using child = new Deno.Command("sleep", { args: ["1000"] }).spawn();
  assertEquals(sharesServiceWith(child.pid), false);
  assertEquals(sharesServiceWith(2 ** 22 + 1), false);
});

onLinux.test("isAttachedToTerminal() knows terminals and consoles, and no other devices", () => {
  const terminals = ["/dev/pts/0", "/dev/tty1", "/dev/console"];
  const found = [...terminals, "/dev/null", "socket:[7]", "/x/dev/tty"].filter((input) => {
    using _proc = new FakeProc({ [`${FAKE_PID}/fd/0`]: input });
    return isAttachedToTerminal(FAKE_PID);
  });
  assertEquals(found, terminals);
});

onLinux.test("sharesServiceWith() is true within one service of systemd alone", () => {
  const group = "0::/system.slice/agent.service\n";
  const isShared = (own: string, parent: string) => {
    using _proc = new FakeProc({
      "self/cgroup": own,
      [`${FAKE_PID}/cgroup`]: group,
      [`${FAKE_PID}/stat`]: statOf(FAKE_PID + 1),
      [`${FAKE_PID + 1}/comm`]: `${parent}\n`,
    });
    return sharesServiceWith(FAKE_PID);
  };
  assertEquals(isShared(group, "systemd"), true);
  assertEquals(isShared("0::/system.slice/other.service\n", "systemd"), false);
  assertEquals(isShared(group, "sh"), false);
});

onLinux.test("runsProgram() takes no word without a slash, and no flag, for a script", () => {
  using temp = new TempFolder();
  const folder = Deno.realPathSync(temp.path);
  const path = `${folder}/agent`;
  Deno.writeTextFileSync(path, "");
  Deno.mkdirSync(`${folder}/-x`);
  const table: [string, boolean][] = [["./agent", true], ["agent", false], ["-x/../agent", false]];
  for (const [word, isRun] of table) {
    using _proc = new FakeProc({
      [`${FAKE_PID}/exe`]: "/bin/sh",
      [`${FAKE_PID}/cwd`]: folder,
      [`${FAKE_PID}/cmdline`]: `sh\0${word}\0`,
    });
    assertEquals(runsProgram(FAKE_PID, path), isRun, word);
  }
});

Deno.test("systemdUnitOf() reads cgroup v1 and v2", () => {
  const found = { name: "agent.service", scope: "system" } as const;
  assertEquals(systemdUnitOf("0::/system.slice/agent.service\n"), found);
  assertEquals(systemdUnitOf("0::/machine/libpod-1/system.slice/agent.service/sub\n"), found);
  const older =
    "12:cpu,cpuacct:/system.slice/cpu.service\n1:name=systemd:/system.slice/agent.service\n0::/\n";
  assertEquals(systemdUnitOf(older), found);
  const expected = { name: "x@a\\x2db.service", scope: "system" };
  assertEquals(systemdUnitOf("0::/system.slice/system-x.slice/x@a\\x2db.service"), expected);
});

Deno.test("systemdUnitOf() distinguishes a user's service from the user's manager", () => {
  const within = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/agent.service\n";
  assertEquals(systemdUnitOf(within), { name: "agent.service", scope: "user" });
  const session = "0::/user.slice/user-1000.slice/user@1000.service/init.scope\n";
  assertEquals(systemdUnitOf(session), undefined);
});

Deno.test("systemdUnitOf() returns undefined for scopes, sessions and containers", () => {
  const others = [
    "",
    "0::/\n",
    "0::/user.slice/user-0.slice/session-1.scope\n",
    "0::/system.slice/run-r1.scope\n",
    "2:memory:/system.slice/agent.service\n",
    "0::/system.slice/--help;x.service\n",
    "agent.service",
  ];
  for (const text of others) assertEquals(systemdUnitOf(text), undefined, text);
});

Deno.test("systemdUnitOf() returns a plain name or undefined for any text", () => {
  fc.assert(fc.property(fc.string(), (path) => {
    const name = systemdUnitOf(`0::/${path}.service`)?.name;
    assertEquals(name === undefined || /^[\w@:.\\-]+$/.test(name), true);
  }));
});
