import { TempFolder } from "../../temp_folder.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { buildPortable } from "../../../build/portable.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { PROGRAM, reports, SERVICE } from "./built_machine.ts";
import { MachineContainer } from "./machine_container.ts";
import { unless } from "../../only_on.ts";

const LOG = `/var/log/${SERVICE}.log`;

const lack = MachineContainer.missing();

const here = unless(lack);

here.test("install, a kill, a boot and uninstall on a real OpenRC, sealed", async () => {
  using folder = new TempFolder();
  await Deno.chmod(folder.path, 0o755);
  await buildPortable({ version: "1.0.0", folder: folder.path });
  await using panel = await startTestPanel();
  const mounts = { "/usr/local/bin/deno": Deno.execPath(), "/build": folder.path };
  await using machine = await MachineContainer.start({ init: "openrc", mounts });
  const before = await machine.files();
  const install = `${PROGRAM} install -e ${panel.url} --ip-services off`;
  const outcome = await machine.run(install, { AGENT_TOKEN: panel.token });
  assertStringIncludes(outcome, `${SERVICE} (openrc), as user ${SERVICE}`);
  await reports(panel);
  await machine.run(`rc-service ${SERVICE} status`);
  const sealed = "this process is sealed by the kernel and the runtime";
  assertStringIncludes(await machine.run(`cat ${LOG}`), sealed);
  const user = await machine.run("ps -eo user:32,args | grep -- '[-]-no-prompt'");
  assert(user.startsWith(`${SERVICE} `), user);
  assertEquals((await machine.run("ps -eo args")).includes(panel.token), false);
  // Threads of the agent, and the helper shell.
  const modes = await machine.run("grep -h ^Seccomp: /proc/$(pgrep -o deno)/task/*/status");
  assertEquals(new Set(modes.trim().split("\n")), new Set(["Seccomp:\t2"]));

  // It is supervised, and starts with the machine.
  await machine.run("kill -9 $(pgrep -o deno)");
  await reports(panel);
  await machine.reboot();
  await reports(panel);

  // As another user, whom the health file of the one before must not hinder.
  await machine.run(`${install} --as-root`, { AGENT_TOKEN: panel.token });
  await reports(panel);
  await machine.run(`${PROGRAM} uninstall`);
  // The copies are those of Debian's tools for users.
  const left = (await machine.changes(before)).filter((path) =>
    !/^.\/(etc\/\w+-$|run\/deno)/.test(path)
  );
  assertEquals(left, []);
  assertEquals((await machine.tries("pgrep deno")).output, "");
  assertEquals(panel.state.violations, []);
});
