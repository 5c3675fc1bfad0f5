import { TempFolder } from "../../temp_folder.ts";
import { outputOf, succeeds } from "./command.ts";

/** Where Debian's package `user-mode-linux` has the modules of its kernel. */
const MODULES = "/usr/lib/uml/modules";

/** What the networks' tests need that may be modules. */
const KINDS = [
  ...["bonding", "bridge", "dummy", "8021q", "team", "tun", "veth", "vrf", "ip_vti"],
  ...["ppp_async", "pppoe"],
];

/** Whether this kernel is one that {@linkcode testInUserModeLinux} has started. */
export function isUserModeLinux(): boolean {
  return Deno.readTextFileSync("/proc/cpuinfo").includes("User Mode Linux");
}

/** What this machine lacks to run another kernel as a program; `undefined` when it lacks nothing. */
export function missingUserModeLinux(): string | undefined {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "no root on Linux";
  const tools = ["linux.uml", "busybox", "ip"];
  const missing = tools.filter((tool) => !succeeds("sh", "-c", `command -v ${tool}`));
  if (!succeeds("test", "-d", MODULES)) missing.push("modules for it");
  if (missing.length > 0) return `no ${missing.join(", no ")}`;
  return canStart() ? undefined : "no processor that user-mode Linux knows";
}

/** Whether that kernel can start a program here: it fails on processors with larger registers than it knows. */
function canStart(): boolean {
  using folder = new TempFolder();
  const { stdout } = new Deno.Command("timeout", {
    args: [
      ...["30", "linux.uml", "mem=64M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"],
      ...["quiet", `uml_dir=${folder.path}`, "init=/bin/true", "con=null", "con0=null,fd:1"],
    ],
    env: { TMPDIR: folder.path },
    stdin: "null",
  }).outputSync();
  return !new TextDecoder().decode(stdout).includes("ptrace set fp regs failed");
}

/**
 * Runs a test file on a kernel of its own, which shows this machine's files and can change none of them;
 * it has all kinds of interfaces. Resolves to what the tests wrote; `filter` is a pattern of their names.
 *
 * @throws {Error} When the kernel does not start, or ends without a result.
 */
export async function testInUserModeLinux(
  file: string,
  filter = /./,
): Promise<{ success: boolean; output: string }> {
  using folder = new TempFolder();
  const init = `${folder.path}/init`;
  Deno.writeTextFileSync(init, initScript(file, filter), { mode: 0o755 });
  const { stdout } = await new Deno.Command("timeout", {
    args: [
      ...["600", "linux.uml", "mem=1200M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/"],
      ...["ro", "quiet", `uml_dir=${folder.path}`, `init=${init}`, "con=null", "con0=null,fd:1"],
      ...["ssl=null", "ssl0=pts", "ssl1=pts"],
    ],
    env: { TMPDIR: folder.path },
    stdin: "null",
  }).output();
  const output = new TextDecoder().decode(stdout).replaceAll("\r", "");
  const result = /^tests ended with (\d+)$/m.exec(output)?.[1];
  if (result === undefined) throw new Error(`Cannot test on another kernel: ${output}`);
  return { success: result === "0", output };
}

/** All that is written goes to `/run`, the only file system there that is not this machine's. */
function initScript(file: string, filter: RegExp): string {
  const { denoDir } = JSON.parse(outputOf(Deno.execPath(), "info", "--json"));
  return `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home TMPDIR=/run/tmp NO_COLOR=1
export DENO_DIR='${denoDir}'
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir -p /dev/pts
mount -t devpts pts /dev/pts
mkdir /run/home /run/tmp /run/lock
${modulesInOrder().map((module) => `busybox insmod '${module}'`).join("\n")}
ip link set lo up
cd '${Deno.cwd()}'
'${Deno.execPath()}' test -A --no-prompt --no-check --cached-only --filter '${filter}' '${file}' 2>&1
echo "tests ended with $?"
busybox poweroff -f
`;
}

/** Paths of the modules of {@linkcode KINDS}, each after those that it needs. */
function modulesInOrder(): string[] {
  const [version = ""] = Array.from(Deno.readDirSync(MODULES), ({ name }) => name);
  const folder = `${MODULES}/${version}`;
  const needs = new Map(
    Deno.readTextFileSync(`${folder}/modules.dep`).trim().split("\n").map((line) => {
      const [path = "", others = ""] = line.split(":");
      return [path, others.trim().split(" ").filter((other) => other !== "")];
    }),
  );
  const inOrder = new Set<string>();
  const add = (path: string) => {
    for (const other of needs.get(path) ?? []) add(other);
    inOrder.add(`${folder}/${path}`);
  };
  for (const path of needs.keys()) {
    if (KINDS.some((kind) => path.endsWith(`/${kind}.ko`))) add(path);
  }
  return [...inOrder];
}
