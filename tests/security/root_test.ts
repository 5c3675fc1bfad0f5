import { assert, assertEquals } from "@std/assert";
import { attempt } from "../../lib/attempt.ts";
import { readHealth } from "../../lib/state/health_reader.ts";
import { AgentProcess } from "../end_to_end/agent_process.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { onlyIf, unless, works } from "../only_on.ts";
import { shellOf } from "../remote/processes_below.ts";
import { exists } from "../exists.ts";
import { TempFolder } from "../temp_folder.ts";
import { denoOutput } from "../deno_output.ts";

const ROOT_UNTIL_SEALED =
  "this process is sealed by the kernel and the runtime (root until sealed, then user 6";
const isRoot = Deno.build.os === "linux" && Deno.uid() === 0;
const canChangeUser = isRoot && /^\s*0\s+\d+\s+4294967295\s*$/.test(
  Deno.readTextFileSync("/proc/self/uid_map"),
);
const NO_CAPABILITY = "0000000000000000";

/** The user that an agent is of since it sealed itself, by its log. */
function userOf({ output }: AgentProcess): number {
  return Number(/root until sealed, then user (\d+)\)/.exec(output)?.[1]);
}

/** Words that start a program as another user and its group. */
function asUser(id: number, ...options: string[]): string[] {
  return ["setpriv", `--reuid=${id}`, `--regid=${id}`, "--clear-groups", ...options];
}

/** A line of a process's or thread's status, its blanks single. */
function statusOf(folder: string, name: string): string {
  const text = Deno.readTextFileSync(`${folder}/status`);
  const [, value = ""] = new RegExp(`^${name}:(.*)$`, "m").exec(text) ?? [];
  return value.trim().replaceAll(/\s+/g, " ");
}

const ROOT = new URL("../..", import.meta.url);
const asOtherUser = onlyIf(canChangeUser);
const withPing = unless(
  !canChangeUser
    ? "it takes root, whose namespace has all ids"
    : exists("/usr/bin/ping") || exists("/bin/ping")
    ? undefined
    : "it takes ping",
);

withPing.test("a root agent is of a user of its own once it is sealed, all threads and its shell, and does all it did", async () => {
  using panel = await startTestPanel({ token: "t0ken" });
  panel.state.tasks = [{ id: 1, name: "p", type: "icmp", target: "127.0.0.1", interval: 1 }];
  using folder = new TempFolder();
  const env = { RUNTIME_DIRECTORY: `${folder.path}/run` };
  const state = ["--month-rotate", "1", "--state-dir", `${folder.path}/state`];
  await using agent = new AgentProcess([
    ...["-e", `http://localhost:${panel.port}`, "-t", "t0ken", "-i", "0.2", "--require-seal"],
    ...["--metrics", "127.0.0.1:0", ...state],
  ], { env });
  await agent.says(ROOT_UNTIL_SEALED);
  await agent.says("First report accepted");
  const threads = [...Deno.readDirSync(`/proc/${agent.pid}/task`)].map(({ name }) => name);
  assert(threads.length > 3, `${threads.length} threads`);
  const user = userOf(agent);
  assert(user >= 61184 && user <= 65519, agent.output);
  const ids = `${user} ${user} ${user} ${user}`;
  for (const thread of threads) {
    const at = `/proc/${agent.pid}/task/${thread}`;
    const found = ["Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapAmb"]
      .map((name) => statusOf(at, name));
    assertEquals(found, [ids, ids, "", ...Array(4).fill(NO_CAPABILITY)], thread);
  }
  const shell = `/proc/${shellOf(agent.pid)?.pid}`;
  const ofShell = ["Uid", "Gid", "Groups", "CapPrm"].map((name) => statusOf(shell, name));
  // What ping needs, and nothing else.
  const rawSockets = "0000000000002000";
  const canPing = (Number.parseInt(statusOf("/proc/self", "CapEff").slice(-4), 16) & 0x2000) !== 0;
  assertEquals(ofShell, [ids, ids, "", canPing ? rawSockets : ofShell[3]]);

  const result = () => panel.state.pingResults.find(({ value }) => value.taskId === 1);
  await panel.state.until(() => result() !== undefined);
  assert(Number(result()?.value.valueMs) >= 0, agent.output);
  const [, url = ""] = /Metrics for Prometheus: (\S+)/.exec(agent.output) ?? [];
  assert((await (await fetch(url)).text()).includes("komari_panel_up"));
  const health = readHealth([`${folder.path}/run`]);
  assertEquals([health?.isRunning, health?.pid], [true, agent.pid]);
  const set = new AgentProcess(
    ["traffic", "set", "--up", "5GB", "-e", panel.url, "-t", "t0ken", ...state],
    { env },
  );
  assertEquals((await set.ends()).code, 0, set.output);
  const status = new AgentProcess(["status", "-e", panel.url, "-t", "t0ken"], { env });
  await status.ends();
  assert(status.output.includes(`root until sealed, then user ${user}`), status.output);
  assertEquals(panel.state.violations, []);
  assertEquals(agent.lines("WARN"), []);
  assertEquals((await agent.stop()).code, 0, agent.output);
});

/** Seals a process whose shell stays root and that is in a group, and tells what it was afterwards. */
const SEALED_IN_A_GROUP = `
import { openLibrary } from "${new URL("../../lib/host/ffi.ts", import.meta.url)}";
import { sealProcess } from "${new URL("../../lib/sandbox/seal.ts", import.meta.url)}";
const { symbols } = openLibrary({ setgroups: { parameters: ["usize", "buffer"], result: "i32" } });
symbols.setgroups(1n, new Uint32Array([27]));
let seen = [];
const look = () => seen = Deno.readTextFileSync("/proc/self/status").match(/^(Uid|Groups):.*$/mg);
look();
const before = seen;
const { staysRoot } = await sealProcess({ rootShell: "its shell stays" }, look);
console.log(JSON.stringify({ staysRoot, before, seen }));
Deno.exit();
`;

asOtherUser.test("a process gives up root and its groups, also where its shell stays root", async () => {
  const options = { input: SEALED_IN_A_GROUP, cwd: ROOT };
  const output = await denoOutput("run -A --no-prompt --no-check --ext=js", ["-"], options);
  const { staysRoot, before, seen } = JSON.parse(output);
  assertEquals(before, ["Uid:\t0\t0\t0\t0", "Groups:\t27 "]);
  const [uids = "", groups] = seen;
  assert(/^Uid:(\t6\d{4}){4}$/.test(uids), uids);
  assertEquals(groups, "Groups:\t ");
  assertEquals(staysRoot, "its shell stays");
});

const withCompiler = onlyIf(
  canChangeUser && await works(["gcc", "--version"], "with native code: gcc"),
);

/** Attacks on a process by another one of a user. */
async function attackAs(user: number, program: string, pid: number): Promise<string[]> {
  const [command = "", ...args] = [...asUser(user, "--bounding-set=-all"), program, String(pid)];
  const { success, stdout } = await new Deno.Command(command, { args }).output();
  assert(success);
  return new TextDecoder().decode(stdout).trim().split("\n").filter((line) => line !== "");
}

withCompiler.test("no program of another user reaches a root agent or its shell, also without its right to raw sockets", async () => {
  using folder = new TempFolder();
  Deno.chmodSync(folder.path, 0o755);
  const program = `${folder.path}/attacks`;
  const source = new URL("neighbour_attacks.c", import.meta.url).pathname;
  assertEquals((await new Deno.Command("gcc", { args: ["-o", program, source] }).output()).code, 0);
  using panel = await startTestPanel({ token: "t0ken" });
  const through = ["setpriv", "--bounding-set=-net_raw"];
  await using agent = new AgentProcess(["-e", panel.url, "-t", "t0ken", "-i", "0.2"], { through });
  await agent.says("First report accepted");
  const shell = shellOf(agent.pid)?.pid ?? NaN;
  const nobody = 65534;
  assertEquals(await attackAs(nobody, program, shell), []);
  assertEquals(await attackAs(nobody, program, agent.pid), []);
  // It is the id that keeps others out of the shell; the agent's process may not be looked into at all.
  const all = ["take a descriptor", "see a descriptor", "open the memory", "trace", "stop"];
  if (mayTrace) assertEquals(await attackAs(userOf(agent), program, shell), all);
  assertEquals(await attackAs(userOf(agent), program, agent.pid), ["stop"]);
  assertEquals((await agent.stop()).code, 0, agent.output);
});

/** Programs of one user may trace each other, unless the system forbids it. */
const mayTrace = (attempt(() => Deno.readTextFileSync("/proc/sys/kernel/yama/ptrace_scope")) ?? "0")
  .trim() === "0";

/** Native code of an attacker's, as a library; `undefined` without a compiler. */
async function attackLibrary(folder: string): Promise<string | undefined> {
  const library = `${folder}/attacks.so`;
  const source = new URL("root_attacks.c", import.meta.url).pathname;
  const gcc = new Deno.Command("gcc", { args: ["-shared", "-fPIC", "-o", library, source] });
  const output = await gcc.output().catch(() => undefined);
  return output?.success ? library : undefined;
}

asOtherUser.test("an agent that is not root keeps no capability that it was started with, and its shell that of ping", async () => {
  using folder = new TempFolder();
  const secret = `${folder.path}/secret`;
  Deno.mkdirSync(secret, { mode: 0o700 });
  Deno.writeTextFileSync(`${secret}/key`, "");
  Deno.chmodSync(folder.path, 0o755);
  // Another user can't load what is in root's cache.
  const program = `${folder.path}/program.js`;
  const source = new URL("sealed_with_capabilities.ts", import.meta.url).pathname;
  await denoOutput("bundle --quiet", ["--output", program, source], { cwd: ROOT });
  const caps = "+dac_read_search,+net_raw,+sys_admin";
  const through = asUser(1234, `--inh-caps=${caps}`, `--ambient-caps=${caps}`);
  const sealed = async (mode: string, ...library: string[]) => {
    const options = { through, cwd: "/", env: { DENO_DIR: `${folder.path}/cache` } };
    const words = [program, mode, `${secret}/key`, ...library];
    return JSON.parse(await denoOutput("run -A --no-config", words, options));
  };
  const { gap, before, after, looked, ofShell } = await sealed("whole");
  assertEquals([gap, looked], [undefined, false]);
  assert(before.length > 12 && !before.includes(NO_CAPABILITY), `${before}`);
  assertEquals([after.length >= before.length, new Set(after)], [true, new Set([NO_CAPABILITY])]);
  assertEquals(new Set(ofShell), new Set(["0000000000002000"]));
  // By the filter alone it sees what only root may.
  assertEquals((await sealed("filter")).looked, true);
  // The gap is what --require-seal refuses.
  const library = await attackLibrary(folder.path);
  if (library === undefined) return;
  const deaf = await sealed("whole", library);
  assertEquals(deaf.gap, "it keeps its capabilities in a thread");
  assertEquals(deaf.after.filter((set: string) => set !== NO_CAPABILITY).length, 4);
});

asOtherUser.test("a root agent counts no disk that root alone can reach, and names it", async () => {
  using folder = new TempFolder();
  const path = `${folder.path}/private/disk`;
  const line =
    `mkdir -p ${path} && chmod 755 ${folder.path} && chmod 700 ${folder.path}/private && ` +
    `mount -t tmpfs -o size=1m none ${path} && exec "$0" "$@"`;
  const through = ["unshare", "-m", "sh", "-c", line];
  const args = ["-t", "t0ken", "--include-mountpoint", `/;${path}`];
  using panel = await startTestPanel({ token: "t0ken" });
  await using agent = new AgentProcess(["-e", panel.url, "-i", "0.2", ...args], { through });
  await agent.says(ROOT_UNTIL_SEALED);
  await agent.says("First report accepted");
  await agent.says("Disk: /");
  const [counted = ""] = agent.lines("Disk: /");
  assert(!counted.includes(path), counted);
  assert(agent.output.includes(`Cannot measure part of disk space`), agent.output);
  await agent.stop();

  const decisionOf = async (option: string[]) => {
    const dryRun = new AgentProcess(
      ["--dry-run", "--json", "-e", panel.url, "-i", "0.2", ...args, ...option],
      { through },
    );
    assertEquals((await dryRun.ends()).code, 0, dryRun.output);
    const [, rest = ""] = dryRun.output.split(`"name": "${path} (`);
    const [, isCounted] = /"counted": (\w+)/.exec(rest) ?? [];
    return isCounted;
  };
  assertEquals(await decisionOf([]), "false");
  // With remote control it stays root.
  assertEquals(await decisionOf(["--enable-remote-control"]), "true");
});

/** Where the ids of other users are not mapped, and where the right to change is missing. */
const STAYING = [
  [["unshare", "-r"], "the container has no other user (EINVAL)"],
  [
    ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid"],
    "the system forbids changing the user (EPERM)",
  ],
] as const;

for (const [through, reason] of STAYING) {
  asOtherUser.test(`an agent that can't give up root says so and goes on: ${reason}`, async () => {
    using panel = await startTestPanel({ token: "t0ken" });
    const args = ["-e", panel.url, "-t", "t0ken", "-i", "0.2"];
    await using agent = new AgentProcess(args, { through });
    await agent.says(`sealed by the kernel and the runtime, but it stays root: ${reason}`);
    await agent.says("First report accepted");
    await using demanding = new AgentProcess([...args, "--require-seal"], { through });
    assertEquals((await demanding.ends()).code, 2, demanding.output);
    const words = `as --require-seal demands: it stays root: ${reason}`;
    assertEquals(demanding.lines(words).length, 1, demanding.output);
    assertEquals((await agent.stop()).code, 0);
  });
}

/** Attacks of native code in root's process that succeeded, with a network of its own. */
async function attack(mode: string, library: string): Promise<string[]> {
  const program = new URL("root_attacks.ts", import.meta.url).pathname;
  const through = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$0" "$@"'];
  const words = [program, mode, library];
  const output = await denoOutput("run -A --no-prompt --no-check", words, { through });
  const lines = output.trim().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.at(-1)?.index, 1, output);
  const [{ denied = 0, passed = [] } = {}] = lines.filter((line) => "denied" in line);
  if (mode === "sealed") assert(denied > 200, `${denied} system calls were tried`);
  assertEquals(passed, []);
  assertEquals(lines.filter(({ name }) => name !== undefined).length, 10, output);
  return lines.filter(({ succeeded }) => succeeded).map(({ name }) => name);
}

withCompiler.test("native code in root's process succeeds without the seal, and with it only in what every user may", async () => {
  using folder = new TempFolder();
  const library = await attackLibrary(folder.path);
  assert(library !== undefined);
  const open = await attack("open", library);
  assertEquals(open.length, 10);
  // As every user may; see MEASUREMENTS.md for what it would take.
  const left = "have the kernel look for a classifier's module, over a netlink socket that is open";
  assertEquals(await attack("sealed", library), [left]);
  // Each defence alone.
  assertEquals(await attack("nobody", library), ["make a netlink socket", left]);
  const overOpenSocket = open.filter((name) => name.includes("that is open") && name !== left);
  assertEquals(
    await attack("netlink", library),
    open.filter((name) => !overOpenSocket.includes(name)),
  );
  assertEquals(overOpenSocket.length, 3);
});
