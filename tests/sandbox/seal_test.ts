import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { same, sameLater } from "../cases.ts";
import {
  describeSeal,
  installSeccompFilter,
  isWhole,
  type Seal,
  sealGap,
} from "../../lib/sandbox/seal.ts";
import type { SealNeeds } from "../../lib/sandbox/seccomp_policy.ts";
import { buildSeccompFilter } from "../../lib/sandbox/seccomp_filter.ts";
import { onLinux } from "../only_on.ts";
import { replaced } from "../replaced.ts";
import { TempFolder } from "../temp_folder.ts";
import { denoOutput } from "../deno_output.ts";

/** Tries of a sealed process, each by another interface; run apart, since the seal holds for good. */
const PROGRAM = `
import { sealProcess } from "${new URL("../../lib/sandbox/seal.ts", import.meta.url)}";
import { LocalHost } from "${new URL("../../lib/host/local_host.ts", import.meta.url)}";
import { spawnSync } from "node:child_process";
const [folder, mode] = Deno.args;
const host = new LocalHost();
const stat = host.open("/proc/stat");
const links = host.openLinkCount("/proc");
const state = Deno.openSync(folder + "/state", { read: true, write: true, create: true });
const { dlopen } = Deno;
if (mode === "runtime only") Deno.dlopen = () => { throw new Error("none") };
// The runtime opens the pipe for signals with the first listener, and a sealed process may not.
Deno.addSignalListener("SIGTERM", () => Deno.exit(2));
const { kernelError } = await sealProcess();
Deno.dlopen = dlopen;
async function outcome(attempt, part = "name") {
  try {
    await attempt();
    return "done";
  } catch (error) {
    return error[part];
  }
}
const IN_WORKER = 'try { new Deno.Command("true").outputSync(); postMessage("done") }' +
  "catch (error) { postMessage(error.name) }";
const buffer = new Uint8Array(4);
state.writeSync(new TextEncoder().encode("kept"));
state.syncDataSync();
console.log(JSON.stringify({
  kernelError,
  internal: typeof Deno[Symbol.for("Deno.internal")] + typeof Deno[Deno.internal],
  command: await outcome(() => new Deno.Command("true").output()),
  spawn: await outcome(() => { if (spawnSync("true").status !== 0) throw new Error(); }),
  library: await outcome(() => Deno.dlopen("libc.so.6", {})),
  write: await outcome(() => Deno.writeTextFileSync(folder + "/new", "")),
  remote: (await Deno.permissions.query({ name: "import" })).state,
  worker: await new Promise((resolve) => {
    const url = "data:text/javascript," + encodeURIComponent(IN_WORKER);
    new Worker(url, { type: "module" }).onmessage = ({ data }) => resolve(data);
  }),
  again: Deno.permissions.requestSync({ name: "run" }).state,
  opened: await outcome(() => Deno.readTextFileSync("/proc/stat")),
  handle: stat.read(),
  links: links(),
  space: host.statfs("/").blocks > 0,
  noSpace: await outcome(() => host.statfs("/no/such/path"), "message"),
  other: await outcome(() => Deno.readTextFileSync(folder + "/other")),
  listed: await outcome(() => [...Deno.readDirSync(folder)]),
  interfaces: await outcome(() => Deno.networkInterfaces()),
  state: (state.seekSync(0, 0), state.readSync(buffer), new TextDecoder().decode(buffer)),
}));
Deno.exit();
`;

for (
  const [mode, error] of [
    ["kernel and runtime", undefined],
    ["runtime only", "Cannot open the C library: none"],
  ]
) {
  onLinux.test(`sealProcess() leaves open files, and no way to start programs or write: ${mode}`, async () => {
    using folder = new TempFolder();
    const words = ["--ext=js", "-", folder.path, `${mode}`];
    const options = { input: PROGRAM, cwd: new URL("../..", import.meta.url) };
    const output = await denoOutput("run -A --no-prompt --no-check", words, options);
    const { kernelError, handle, links, ...others } = JSON.parse(output);
    assertEquals(kernelError, error);
    assertMatch(handle, /^cpu /);
    assertEquals(links > 1, true);
    const denied = "command library write worker opened other listed interfaces".split(" ");
    assertEquals(others, {
      ...Object.fromEntries(denied.map((what) => [what, "NotCapable"])),
      ...{ internal: "undefinedundefined", spawn: "Error", remote: "prompt", again: "denied" },
      ...{ space: true, state: "kept" },
      noSpace: 'Cannot statfs "/no/such/path": no such file or folder (ENOENT)',
    });
  });
}

/**
 * The permissions that `sealByRuntime()` leaves for these needs, or its error; the runtime keeps one of them
 * if it is named, as it does at a prompt.
 */
const PERMISSIONS = `
import { sealByRuntime } from "${new URL("../../lib/sandbox/seal.ts", import.meta.url)}";
const [needs, kept] = Deno.args;
const { permissions } = Deno;
const revokeSync = permissions.revokeSync.bind(permissions);
permissions.revokeSync = (it) => it.name === kept ? { state: "granted" } : revokeSync(it);
const names = ["run", "ffi", "write", "import", "read", "sys", "net", "env"];
try {
  sealByRuntime(JSON.parse(needs));
  console.log(names.filter((name) => permissions.querySync({ name }).state === "granted").join(" "));
} catch (error) {
  console.log(error.message);
}
`;

Deno.test("sealByRuntime() leaves the permissions that are needed, and fails when one is not revoked", async () => {
  const sealed = async ([needs, kept = ""]: readonly [SealNeeds, string?]) =>
    (await denoOutput("eval --ext=js", [PERMISSIONS, JSON.stringify(needs), kept])).trim();
  const readsFiles = "there is no getent";
  await sameLater(sealed, [
    [[{}], "net env"],
    [[{ bindsSockets: true }], "net env"],
    [[{ looksAtFiles: true }], "read net env"],
    [[{ readsFiles }], "read net env"],
    [[{ looksAtFiles: true, readsFiles }], "read net env"],
    [[{ asksSystem: true }], "sys net env"],
    ...["run", "ffi", "write", "import", "read", "sys"].map((name) =>
      [[{}, name], `Cannot revoke the permission to ${name}`] as const
    ),
  ]);
});

Deno.test("describeSeal() names the parts of the seal, and why one is missing", () => {
  const sealed = "sealed by the kernel and the runtime";
  const described = (parts: Partial<Seal>) => {
    const seal = { kernelError: undefined, ...parts };
    const text = describeSeal(seal);
    // `--require-seal` asks for the gap, and who reads the health file has the text alone.
    assertEquals(isWhole(text), sealGap(seal) === undefined, text);
    return `${isWhole(text)}: ${text}`;
  };
  same(described, [
    [{}, `true: ${sealed}`],
    [
      { kernelError: "macOS has no seccomp filters", readsFiles: "there is none" },
      "false: sealed by the runtime only: macOS has no seccomp filters",
    ],
    [{ readsFiles: "no getent" }, `false: ${sealed}, but files can be read: no getent`],
    [{ keepsCapabilities: "it keeps some" }, `false: ${sealed}, but it keeps some`],
    [{ wasRoot: true, staysRoot: "it may not" }, `false: ${sealed}, but it stays root: it may not`],
    [{ wasRoot: true, user: 61200 }, `true: ${sealed} (root until sealed, then user 61200)`],
    [
      { wasRoot: true, user: 65534 },
      `true: ${sealed} (root until sealed, then nobody, whose other programs may reach its helper shell)`,
    ],
    [
      { wasRoot: true, user: 61200, readsFiles: "x" },
      `false: ${sealed}, but files can be read: x (root until sealed, then user 61200)`,
    ],
  ]);
});

/** What the C library answers in place of the true one, which is not called. */
interface Answers {
  readonly prctl?: number;
  readonly syscall?: bigint;
  readonly errno?: number;
}

/** Installs the filter by a C library of the test's; the arguments that it got. */
function install({ prctl = 0, syscall = 0n, errno }: Answers): unknown[][] {
  const calls: unknown[][] = [];
  const place = errno === undefined ? null : Deno.UnsafePointer.of(new Int32Array([errno]));
  const symbols = {
    prctl: (...args: unknown[]) => (calls.push(["prctl", ...args.slice(0, 5)]), prctl),
    syscall: (number: bigint, mode: number, flags: number, program: Uint8Array<ArrayBuffer>) => {
      calls.push(["syscall", number, mode, flags, new DataView(program.buffer).getUint16(0, true)]);
      return syscall;
    },
    __errno_location: () => place,
  };
  const dlopen = () => ({ symbols, close: () => calls.push(["close"]) });
  using _library = replaced<object>(Deno, { dlopen });
  installSeccompFilter({});
  return calls;
}

Deno.test("installSeccompFilter() gives up privileges, and then puts the filter on all threads", () => {
  const [number, architecture] = Deno.build.arch === "x86_64"
    ? [317n, "amd64"] as const
    : [277n, "arm64"] as const;
  const instructions = buildSeccompFilter(architecture, Deno.pid, {}).length / 8;
  assertEquals(install({}), [
    ["prctl", 38, 1n, 0n, 0n, 0n],
    ["syscall", number, 1, 1, instructions],
    ["close"],
  ]);
});

Deno.test("installSeccompFilter() says what an administrator can do something about", () => {
  const message = (answers: Answers) =>
    assertThrows(() => install(answers), Error).message
      .replace(/^Cannot install the seccomp filter: /, "");
  same(message, [
    [{ syscall: -1n, errno: 1 }, "the system forbids it (EPERM)"],
    [{ syscall: -1n, errno: 13 }, "the system forbids it (EACCES)"],
    [{ syscall: -1n, errno: 22 }, "the kernel was built without seccomp filters (EINVAL)"],
    [{ syscall: -1n, errno: 38 }, "the kernel or the container lacks the call (ENOSYS)"],
    [{ syscall: -1n, errno: 12 }, "error 12"],
    [{ syscall: -1n }, "error 0"],
    [{ syscall: 7n }, "thread 7 has another"],
    [
      { prctl: -1, errno: 22 },
      "Cannot set no_new_privs: the kernel was built without seccomp filters (EINVAL)",
    ],
  ]);
});
