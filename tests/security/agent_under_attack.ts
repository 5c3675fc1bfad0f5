/**
 * The agent, with an attacker's code in its process: `agent_under_attack.ts MODE ENDPOINT FOLDER`
 * reports as the agent does, tries each attack once the panel has accepted a report, prints a line
 * `{"attack": NAME, "succeeded": …}` for each, and reports on.
 *
 * MODE names the parts of the seal: `sealed` as the agent is, `kernel` or `runtime` with one of them, `old` with
 * the permissions to run programs and load libraries revoked, and `open`.
 *
 * @module
 */

import { openAgent } from "../../lib/agent/open_agent.ts";
import { runOpened } from "../../lib/agent/run_agent.ts";
import { resolveConfig } from "../../lib/config/config.ts";
import { type Seal, sealByKernel, sealByRuntime, sealProcess } from "../../lib/sandbox/seal.ts";
import type { SealNeeds } from "../../lib/sandbox/seccomp_policy.ts";
import { setUpLog } from "../../lib/log/log.ts";
import { shellOf } from "../remote/processes_below.ts";

const [mode = "", endpoint = "", folder = ""] = Deno.args;

const SEALS: Readonly<
  Record<string, (needs: SealNeeds, lookAsSealed: () => void) => Seal | Promise<Seal>>
> = {
  sealed: sealProcess,
  kernel(needs, look) {
    look();
    sealByKernel(needs);
    return { kernelError: undefined };
  },
  runtime(needs, look) {
    look();
    sealByRuntime(needs);
    return { kernelError: "switched off by the test" };
  },
  old(_, look) {
    look();
    for (const name of ["run", "ffi"] as const) Deno.permissions.revokeSync({ name });
    return { kernelError: "switched off by the test" };
  },
  open(_, look) {
    look();
    return { kernelError: "switched off by the test" };
  },
};

/** Swaps a folder and a link to `/proc/self`, for the race; started before the seal. */
const SWAPPER = `
const [folder] = Deno.args;
Deno.symlinkSync("/proc/self", folder + "/link");
for (;;) {
  Deno.renameSync(folder + "/swapped", folder + "/real");
  Deno.renameSync(folder + "/link", folder + "/swapped");
  Deno.renameSync(folder + "/swapped", folder + "/link");
  Deno.renameSync(folder + "/real", folder + "/swapped");
}`;
/** Usually won within a few tries; where it must be won, a busy machine gets more time. */
const RACE_MS = mode === "old" || mode === "open" ? 60_000 : 2_000;

/** Whether the memory of this process could be opened for writing. */
function winsRace(): boolean {
  const { dev } = Deno.statSync(folder);
  const endMs = performance.now() + RACE_MS;
  while (performance.now() < endMs) {
    try {
      using file = Deno.openSync(`${folder}/swapped/mem`, { write: true });
      if (file.statSync().dev !== dev) return true;
    } catch {
      // The next try may win.
    }
  }
  return false;
}

const ATTACKS: Readonly<Record<string, (shell: number) => boolean>> = {
  "start a program": () => new Deno.Command("/bin/true").outputSync().success,
  "turn on remote control in its configuration": () => {
    Deno.writeTextFileSync(`${folder}/config.json`, `{"enable_remote_control": true}`);
    return true;
  },
  "write the helper shell's memory": (shell) => {
    using memory = Deno.openSync(`/proc/${shell}/mem`, { write: true });
    return !memory.isTerminal();
  },
  "signal the helper shell": (shell) => {
    Deno.kill(shell, "SIGCONT");
    return true;
  },
  "delete its state": () => {
    Deno.removeSync(`${folder}/state/month.state`);
    return true;
  },
  "win the race for its own memory": winsRace,
  // It keeps the runtime's permission to read, for its file of the month.
  "read a file": () => Deno.readTextFileSync("/etc/passwd") !== "",
  "open a folder": () => [...Deno.readDirSync(folder)].length > 0,
};

let startAttacks = () => {};
const accepted = new Promise<void>((resolve) => startAttacks = resolve);
setUpLog({
  level: "info",
  format: "text",
  forJournal: false,
  secrets: [],
  write(line) {
    console.error(line);
    if (line.includes("First report accepted")) startAttacks();
  },
});
Deno.mkdirSync(`${folder}/swapped`);
Deno.writeTextFileSync(`${folder}/swapped/mem`, "");
Deno.writeTextFileSync(`${folder}/config.json`, "{}");
const swapper = new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", "--ext=js", "-", folder],
  stdin: "piped",
  stdout: "null",
  stderr: "null",
}).spawn();
const writer = swapper.stdin.getWriter();
await writer.write(new TextEncoder().encode(SWAPPER));
await writer.close();
console.log(JSON.stringify({ swapper: swapper.pid }));

const stop = new AbortController();
Deno.addSignalListener("SIGTERM", () => stop.abort());
const config = resolveConfig({
  args: [
    ...["-e", endpoint, "-t", "t0ken", "-i", "0.2", "--ip-services", "off"],
    ...["--month-rotate", "1", "--state-dir", `${folder}/state`],
  ],
  env: { RUNTIME_DIRECTORY: `${folder}/run` },
  readText: (path) => Deno.readTextFileSync(path),
  readMode: () => undefined,
});
const seal = SEALS[mode];
if (seal === undefined) throw new RangeError(`no mode ${mode}`);
const { os, arch } = Deno.build;
const agent = await openAgent(config, { os, arch, signal: stop.signal, secrets: [] });
// A sealed process can't look for it.
const shell = shellOf(Deno.pid)?.pid;
if (shell === undefined) throw new Error("there is no helper shell");
const running = runOpened(agent, await seal(agent.needs, () => void agent.sampler.sample()));
await accepted;
for (const [attack, act] of Object.entries(ATTACKS)) {
  let succeeded = false;
  let reason = "";
  try {
    succeeded = act(shell);
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  console.log(JSON.stringify({ attack, succeeded, reason }));
}
console.log(JSON.stringify({ done: true }));
await running;
await agent[Symbol.asyncDispose]();
Deno.exit(0);
