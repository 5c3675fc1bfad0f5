/**
 * Programs that the kernel itself starts, as root: what `core_pattern` names, and `modprobe`. Both are
 * settings of the whole machine, so the tests run on a kernel of their own.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { realUntil } from "../../real_deadline.ts";
import { lackOfTools } from "./command.ts";
import { missingUserModeLinux, testInUserModeLinux } from "./user_mode_linux.ts";
import { onlyIf } from "../../only_on.ts";

const isOwnKernel = Deno.build.os === "linux" &&
  Deno.readTextFileSync("/proc/cpuinfo").includes("User Mode Linux");
const missing = missingUserModeLinux() ?? lackOfTools("gcc");
const needed = missing === undefined || isOwnKernel ? "" : ` (skipped: ${missing})`;

const here = onlyIf(!isOwnKernel && needed === "");

here.test(`the kernel starts no program of root's for a crash or a name, on one of its own${needed}`, async () => {
  const { success, output } = await testInUserModeLinux("tests/slow/live/kernel_helpers_test.ts");
  assert(success && /^ok \| 3 passed/m.test(output), output);
});

/** A program of the kernel's that leaves a file which says what it was given. */
function helper(): { path: string; runs: () => string } {
  const folder = Deno.makeTempDirSync({ dir: "/run" });
  const path = `${folder}/helper`;
  const script = `#!/bin/sh\necho "$(id -u) $*" >>${folder}/runs\ncat >>${folder}/core\n` +
    `tr '\\0' '\\n' <${folder}/core | grep -c 's3cret-t0ken' >>${folder}/runs\n`;
  Deno.writeTextFileSync(path, script, { mode: 0o755 });
  return {
    path,
    runs() {
      try {
        return Deno.readTextFileSync(`${folder}/runs`);
      } catch {
        return "";
      }
    },
  };
}

const PROGRAM = new URL("../../security/waiting_program.ts", import.meta.url).pathname;

const onOwnKernel = onlyIf(isOwnKernel);

onOwnKernel.test("a crash of a hardened process starts no program that core_pattern names, with the token", async () => {
  const handler = helper();
  Deno.writeTextFileSync("/proc/sys/kernel/core_pattern", `|${handler.path} core`);
  for (const mode of ["hardened", "open"]) {
    const args = ["run", "-A", "--no-prompt", "--no-check", PROGRAM, mode, "s3cret-t0ken"];
    const through = ["sh", "-c", 'ulimit -c 0; exec "$0" "$@"'];
    await using program = new AgentProcess(args, { program: Deno.execPath(), through });
    await program.says("waiting");
    await program.stop("SIGABRT");
  }
  // The kernel does not wait for it. That of the first process would have come before.
  await realUntil(() => /^[1-9]\d*$/m.test(handler.runs()));
  assertEquals(handler.runs().match(/^0 core$/gm), ["0 core"]);
});

onOwnKernel.test("a limit of 1 byte is what keeps the kernel from piping a core, and 0 is not", () => {
  for (const limit of [0, 1]) {
    const handler = helper();
    Deno.writeTextFileSync("/proc/sys/kernel/core_pattern", `|${handler.path} core`);
    new Deno.Command("prlimit", {
      args: [`--core=${limit}`, "setpriv", "--reuid=65534", "sh", "-c", "kill -ABRT $$"],
    }).outputSync();
    assertEquals(handler.runs().startsWith("0 core"), limit === 0, `${limit}: ${handler.runs()}`);
  }
});

onOwnKernel.test("the kernel looks for no module by a name that native code gives, once root is given up", () => {
  const folder = Deno.makeTempDirSync();
  const library = `${folder}/attacks.so`;
  const [source, program] = ["root_attacks.c", "root_attacks.ts"].map((name) =>
    new URL(`../../security/${name}`, import.meta.url).pathname
  );
  const gcc = new Deno.Command("gcc", {
    args: ["-shared", "-fPIC", "-o", library, source ?? ""],
  });
  assertEquals(gcc.outputSync().code, 0);
  for (const mode of ["open", "nobody"]) {
    const modprobe = helper();
    Deno.writeTextFileSync("/proc/sys/kernel/modprobe", modprobe.path);
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", "--no-check", program ?? "", mode, library],
      stdin: "null",
    }).outputSync();
    assertEquals(/^0 .*no-such-module$/m.test(modprobe.runs()), mode === "open", modprobe.runs());
  }
});
