import { assert, assertEquals } from "@std/assert";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { hasOwnNetwork, OWN_NETWORK } from "../own_network.ts";
import { AgentProcess } from "../end_to_end/agent_process.ts";
import { TempFolder } from "../temp_folder.ts";
import { onLinux, onlyIf, unless } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";

const PROGRAM = new URL("waiting_program.ts", import.meta.url).pathname;
const DEBUGGER = "Debugger listening on";

/** A program that waits with the defence or without. */
function startProgram(mode: "hardened" | "open", through = OWN_NETWORK): AgentProcess {
  const args = ["run", "-A", "--no-prompt", "--no-check", PROGRAM, mode];
  return new AgentProcess(args, { program: Deno.execPath(), through });
}

/**
 * Sends the signal to a process, and after it to one without the defence, which was started later;
 * resolves when that one has opened its debugger.
 */
async function attackBeside(target: AgentProcess): Promise<void> {
  await using open = startProgram("open");
  await open.says("waiting");
  for (const { pid } of [target, target, open]) Deno.kill(pid, "SIGUSR1");
  await open.says(DEBUGGER);
}

const inOwnNetwork = onlyIf(hasOwnNetwork);

inOwnNetwork.test("hardenProcess() keeps the runtime from opening its debugger", async () => {
  await using hardened = startProgram("hardened");
  await hardened.says("waiting");
  await attackBeside(hardened);
  await attackBeside(hardened);
  assertEquals(hardened.lines(DEBUGGER), []);
  Deno.kill(hardened.pid, 0);
});

inOwnNetwork.test("the agent opens no debugger, sealed or with remote control, and reports on; nor does the demo", async () => {
  for (const args of [[], ["--enable-remote-control"], undefined]) {
    using panel = await startTestPanel({ token: "t0ken" });
    const words = args === undefined ? ["demo"] : ["-e", panel.url, "-t", "t0ken", ...args];
    const through = args === undefined ? OWN_NETWORK : [];
    await using agent = new AgentProcess([...words, "-i", "0.2"], { through });
    await agent.says("First report accepted");
    await attackBeside(agent);
    const { reports } = panel.state.counts;
    if (args !== undefined) await panel.state.until(({ counts }) => counts.reports >= reports + 3);
    assertEquals((await agent.stop()).code, 0);
    assertEquals(agent.lines(DEBUGGER), []);
  }
});

onLinux.test("hardenProcess() leaves the signal to the programs that are started", async () => {
  const code = `
      import { hardenProcess } from "${new URL("../../lib/sandbox/hardening.ts", import.meta.url)}";
      hardenProcess();
      new Deno.Command("/bin/sh", {
        args: ["-c", "trap 'echo caught' USR1; kill -USR1 $$; ulimit -S -c 1; ulimit -c"],
        stdout: "inherit",
      }).outputSync();
    `;
  assertEquals(await denoOutput("eval --ext=ts", [code]), "caught\n1\n");
});

/** Where the kernel writes a core file to the working directory. */
const writesCores = Deno.build.os === "linux" &&
  /^[^|/]+$/.test(Deno.readTextFileSync("/proc/sys/kernel/core_pattern").trim());

const here = onlyIf(writesCores);

here.test("hardenProcess() leaves no core dump behind, which a process without it does", async () => {
  const dumps = async (mode: "hardened" | "open") => {
    using folder = new TempFolder();
    const inFolder = ["sh", "-c", `ulimit -c 8; cd ${folder.path}; exec "$0" "$@"`];
    await using program = startProgram(mode, inFolder);
    await program.says("waiting");
    await program.stop("SIGABRT");
    return [...Deno.readDirSync(folder.path)].length;
  };
  assertEquals(await dumps("open"), 1);
  assertEquals(await dumps("hardened"), 0);
});

const asLinuxRoot = unless(
  Deno.build.os === "linux" && Deno.uid() === 0 ? undefined : "it takes root on Linux",
);

asLinuxRoot.test("hardenProcess() forbids core dumps, and hides root's process from other programs", async () => {
  // Who may trace everything can always read it.
  const untraced = ["setpriv", "--bounding-set=-sys_ptrace"];
  const isReadable = async (mode: "hardened" | "open") => {
    const through = [...untraced, "sh", "-c", 'ulimit -c 8; exec "$0" "$@"'];
    await using program = startProgram(mode, through);
    await program.says("waiting");
    const limits = Deno.readTextFileSync(`/proc/${program.pid}/limits`);
    assertEquals(/^Max core file size +1 /m.test(limits), mode === "hardened", limits);
    const [command = "", ...args] = [...untraced, "readlink", `/proc/${program.pid}/exe`];
    return (await new Deno.Command(command, { args }).output()).success;
  };
  assertEquals(await isReadable("open"), true);
  assertEquals(await isReadable("hardened"), false);
});

onLinux.test("a sealed agent's files have a bound, but where its log is one of them", async () => {
  using panel = await startTestPanel({ token: "t0ken" });
  using folder = new TempFolder();
  const args = ["-e", panel.url, "-t", "t0ken", "-i", "0.2"];
  const toFile = ["sh", "-c", `exec "$0" "$@" 2>${folder.path}/log`];
  for (const [through, bound] of [[[], "16777216 +16777216"], [toFile, "unlimited"]] as const) {
    const { reports } = panel.state.counts;
    await using agent = new AgentProcess(args, { through });
    await panel.state.until(({ counts }) => counts.reports > reports);
    const limits = Deno.readTextFileSync(`/proc/${agent.pid}/limits`);
    assert(new RegExp(`^Max file size +${bound}`, "m").test(limits), limits);
  }
});
