import { assert, assertEquals } from "@std/assert";
import { readHealth } from "../../lib/state/health_reader.ts";
import { AgentProcess } from "../end_to_end/agent_process.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { onlyIf, unless, works } from "../only_on.ts";
import { shellOf } from "../remote/processes_below.ts";
import { exists } from "../exists.ts";
import { TempFolder } from "../temp_folder.ts";
import { denoOutput } from "../deno_output.ts";

const ROOT_UNTIL_SEALED =
  "this process is sealed by the kernel and the runtime (root until sealed, then nobody)";
const isRoot = Deno.build.os === "linux" && Deno.uid() === 0;
const canChangeUser = isRoot && /^\s*0\s+\d+\s+4294967295\s*$/.test(
  Deno.readTextFileSync("/proc/self/uid_map"),
);
const NOBODY = "65534 65534 65534 65534";

/** A line of a process's or thread's status, its blanks single. */
function statusOf(folder: string, name: string): string {
  const text = Deno.readTextFileSync(`${folder}/status`);
  const [, value = ""] = new RegExp(`^${name}:(.*)$`, "m").exec(text) ?? [];
  return value.trim().replaceAll(/\s+/g, " ");
}

const asOtherUser = onlyIf(canChangeUser);
const withPing = unless(
  !canChangeUser
    ? "it takes root, whose namespace has all ids"
    : exists("/usr/bin/ping") || exists("/bin/ping")
    ? undefined
    : "it takes ping",
);

withPing.test("a root agent is nobody's once it is sealed, all threads and its shell, and does all it did", async () => {
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
  for (const thread of threads) {
    const at = `/proc/${agent.pid}/task/${thread}`;
    const found = ["Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapAmb"]
      .map((name) => statusOf(at, name));
    const none = "0000000000000000";
    assertEquals(found, [NOBODY, NOBODY, "", none, none, none, none], thread);
  }
  const shell = `/proc/${shellOf(agent.pid)?.pid}`;
  const ofShell = ["Uid", "Gid", "Groups", "CapPrm"].map((name) => statusOf(shell, name));
  // What ping needs, and nothing else.
  const rawSockets = "0000000000002000";
  const canPing = (Number.parseInt(statusOf("/proc/self", "CapEff").slice(-4), 16) & 0x2000) !== 0;
  assertEquals(ofShell, [NOBODY, NOBODY, "", canPing ? rawSockets : ofShell[3]]);

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
  assert(status.output.includes("root until sealed, then nobody"), status.output);
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
  const options = { input: SEALED_IN_A_GROUP, cwd: new URL("../..", import.meta.url) };
  const output = await denoOutput("run -A --no-prompt --no-check --ext=js", ["-"], options);
  const { staysRoot, before, seen } = JSON.parse(output);
  assertEquals(before, ["Uid:\t0\t0\t0\t0", "Groups:\t27 "]);
  assertEquals(seen, ["Uid:\t65534\t65534\t65534\t65534", "Groups:\t "]);
  assertEquals(staysRoot, "its shell stays");
});

asOtherUser.test("another program of nobody's can end a root agent, and not read its memory", async () => {
  using panel = await startTestPanel({ token: "t0ken" });
  const asNobody = async (...words: string[]) => {
    const args = ["--reuid=65534", "--regid=65534", "--clear-groups", ...words];
    return (await new Deno.Command("setpriv", { args, stderr: "null" }).output()).success;
  };
  await using other = new AgentProcess(["-c", "echo ready; exec sleep 60"], {
    program: "/bin/sh",
    through: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
  });
  await other.says("ready");
  await using agent = new AgentProcess(["-e", panel.url, "-t", "t0ken", "-i", "0.2"]);
  await agent.says("First report accepted");
  const reads = (pid: number) =>
    Promise.all(["environ", "maps"].map((name) => asNobody("cat", `/proc/${pid}/${name}`)));
  assertEquals(await reads(other.pid), [true, true]);
  assertEquals(await reads(agent.pid), [false, false]);
  assertEquals(await asNobody("sh", "-c", `kill ${agent.pid}`), true);
  assertEquals((await agent.ends()).code, 0, agent.output);
});

asOtherUser.test("a root agent counts no disk that root alone can reach, and names it", async () => {
  using folder = new TempFolder();
  const path = `${folder.path}/private/disk`;
  const through = [
    "unshare",
    "-m",
    "sh",
    "-c",
    `mkdir -p ${path} && chmod 755 ${folder.path} && chmod 700 ${folder.path}/private && ` +
    `mount -t tmpfs -o size=1m none ${path} && exec "$0" "$@"`,
  ];
  const args = ["-t", "t0ken", "--include-mountpoint", `/;${path}`];
  using panel = await startTestPanel({ token: "t0ken" });
  await using agent = new AgentProcess(["-e", panel.url, "-i", "0.2", ...args], { through });
  await agent.says(ROOT_UNTIL_SEALED);
  await agent.says("First report accepted");
  await agent.says("and the space of /");
  const [counted = ""] = agent.lines("and the space of /");
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
  [["unshare", "-r"], "the container has no user 65534 (EINVAL)"],
  [
    ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid"],
    "the system forbids changing the user (EPERM)",
  ],
] as const;

for (const [through, reason] of STAYING) {
  onlyIf(canChangeUser).test(
    `an agent that can't give up root says so and goes on: ${reason}`,
    async () => {
      using panel = await startTestPanel({ token: "t0ken" });
      const args = ["-e", panel.url, "-t", "t0ken", "-i", "0.2"];
      await using agent = new AgentProcess(args, { through });
      await agent.says(
        `sealed by the kernel and the runtime, but it stays root: ${reason}`,
      );
      await agent.says("First report accepted");
      await using demanding = new AgentProcess([...args, "--require-seal"], { through });
      assertEquals((await demanding.ends()).code, 2, demanding.output);
      assertEquals(
        demanding.lines(`as --require-seal demands: it stays root: ${reason}`).length,
        1,
        demanding.output,
      );
      assertEquals((await agent.stop()).code, 0);
    },
  );
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
  assertEquals(lines.filter(({ name }) => name !== undefined).length, 9, output);
  return lines.filter(({ succeeded }) => succeeded).map(({ name }) => name);
}

const withCompiler = onlyIf(
  canChangeUser && await works(["gcc", "--version"], "with native code: gcc"),
);

withCompiler.test("native code in root's process succeeds without the seal, and in no way with it", async () => {
  using folder = new TempFolder();
  const library = `${folder.path}/attacks.so`;
  const source = new URL("root_attacks.c", import.meta.url).pathname;
  const gcc = new Deno.Command("gcc", { args: ["-shared", "-fPIC", "-o", library, source] });
  assertEquals((await gcc.output()).code, 0);
  const open = await attack("open", library);
  assertEquals(open.length, 9);
  assertEquals(await attack("sealed", library), []);
  // Each defence alone.
  assertEquals(await attack("nobody", library), ["make a netlink socket"]);
  const overOpenSocket = open.filter((name) => name.includes("that is open"));
  assertEquals(
    await attack("netlink", library),
    open.filter((name) => !overOpenSocket.includes(name)),
  );
  assertEquals(overOpenSocket.length, 3);
});
