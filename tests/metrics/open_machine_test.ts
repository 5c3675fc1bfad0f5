import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../lib/config/usage_error.ts";
import { hostRoots, openMachine } from "../../lib/metrics/open_machine.ts";
import { configOf } from "./config_of.ts";
import { TempFolder } from "../temp_folder.ts";

Deno.test("hostRoots() finds the root and /sys beside another /proc, as far as they are there", async () => {
  using folder = new TempFolder();
  const proc = `${folder.path}/proc`;
  assertEquals(hostRoots(proc), { proc, sys: "/sys", root: `${proc}/1/root` });
  await Deno.mkdir(`${folder.path}/etc`);
  assertEquals(hostRoots(proc), { proc, sys: "/sys", root: folder.path });
  await Deno.mkdir(`${folder.path}/sys/class/net`, { recursive: true });
  assertEquals(hostRoots(proc), { proc, sys: `${folder.path}/sys`, root: folder.path });
  await Deno.mkdir(`${proc}/1/root/sys/class/net`, { recursive: true });
  await Deno.remove(`${folder.path}/etc`);
  const root = `${proc}/1/root`;
  assertEquals(hostRoots(proc), { proc, sys: `${root}/sys`, root });
});

Deno.test("openMachine() refuses a HOST_PROC that is no /proc", async () => {
  using folder = new TempFolder();
  const open = () => openMachine(configOf([], { HOST_PROC: folder.path }), { os: "linux" });
  await assertRejects(open, UsageError, "HOST_PROC must be");
});
