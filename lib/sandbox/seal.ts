import { attempt } from "../attempt.ts";
import { dropCapabilities } from "../host/capabilities.ts";
import { NO_STUB, NO_STUB_VALUE, openLibrary } from "../host/ffi.ts";
import { describeError } from "../log/log.ts";
import { hardenProcess, limitFileSizes } from "./hardening.ts";
import { makeRuntimeCachesReadOnly } from "./runtime_caches.ts";
import { buildSeccompFilter } from "./seccomp_filter.ts";
import { findFreeUser, NOBODY } from "./free_user.ts";
import { mayBind, type SealNeeds } from "./seccomp_policy.ts";
import { nameUnixSockets } from "./unix_sockets.ts";

/** Permissions of the runtime that no sealed agent has a use for; Node's library reads variables (`env`). */
const REVOKED = ["run", "ffi", "write", "import"] as const;

const USER_SYMBOLS = {
  setgroups: { parameters: ["usize", "usize", NO_STUB], result: "i32" },
  setresgid: { parameters: ["u32", "u32", "u32", NO_STUB], result: "i32" },
  setresuid: { parameters: ["u32", "u32", "u32", NO_STUB], result: "i32" },
  __errno_location: { parameters: [NO_STUB], result: "pointer" },
} as const;

const FILTER_SYMBOLS = {
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize", NO_STUB], result: "i32" },
  syscall: { parameters: ["i64", "u32", "u32", "buffer", NO_STUB], result: "i64" },
  __errno_location: { parameters: [NO_STUB], result: "pointer" },
} as const;

const PR_SET_NO_NEW_PRIVS = 38;
const SECCOMP = { amd64: 317, arm64: 277 } as const;
const SECCOMP_SET_MODE_FILTER = 1;
/** All threads get the filter, or none. */
const SECCOMP_FILTER_FLAG_TSYNC = 1;

/** Errors that an administrator can do something about. */
const FILTER_REASONS: ReadonlyMap<number, string> = new Map([
  [1, "the system forbids it (EPERM)"],
  [13, "the system forbids it (EACCES)"],
  [22, "the kernel was built without seccomp filters (EINVAL)"],
  [38, "the kernel or the container lacks the call (ENOSYS)"],
]);
const USER_REASONS: ReadonlyMap<number, string> = new Map([
  [1, "the system forbids changing the user (EPERM)"],
  [22, "the container has no other user (EINVAL)"],
]);

/** What this process has given up. */
export interface Seal {
  /** Why the kernel does not enforce it; `undefined` when it does. */
  readonly kernelError: string | undefined;
  /** Why files can still be read; `undefined` when none can be opened. */
  readonly readsFiles?: string | undefined;
  /** Whether the process was started as root. */
  readonly wasRoot?: boolean;
  /** The user that it is of since; `undefined` when it was not root, or still is. */
  readonly user?: number | undefined;
  /** Why it or its helper shell still is; `undefined` when neither is. */
  readonly staysRoot?: string | undefined;
  /** Why it still has capabilities; `undefined` when it has none. */
  readonly keepsCapabilities?: string | undefined;
}

/**
 * Seals this process for the rest of its life: no code in it can start a program, open a file, or touch
 * another process, and it is root no longer. Handles that are open go on working.
 *
 * The kernel's filter enforces that for native code too. The runtime's own permissions are the
 * second part of the seal, and the only one where the kernel has no filter.
 *
 * @param needs What has to stay possible.
 * @param lookAsSealed Looks at the machine for the first time as the user that the process is from now
 * on, and can open files for the last time. What asks mounts that may hang belongs there: while a
 * thread waits for one, root can't be given up.
 * @throws {Error} When the runtime does not revoke its permissions; the agent must not go on then.
 */
export async function sealProcess(
  needs: SealNeeds = {},
  lookAsSealed: () => void | Promise<void> = () => {},
): Promise<Seal> {
  const wasRoot = isRoot();
  let kernelError = failureOf(() => prepareSeal(needs));
  const user = wasRoot ? needs.user ?? findFreeUser() : undefined;
  const staysRoot = user === undefined
    ? undefined
    : failureOf(() => giveUpRoot(user)) ?? needs.rootShell;
  const isLinux = Deno.build.os === "linux";
  const keepsCapabilities = isLinux ? failureOf(dropCapabilities) : undefined;
  await lookAsSealed();
  kernelError ??= failureOf(() => installSeccompFilter(needs));
  sealByRuntime(needs);
  return { kernelError, readsFiles: needs.readsFiles, wasRoot, user, staysRoot, keepsCapabilities };
}

function failureOf(act: () => void): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

/**
 * Seals by the runtime alone.
 *
 * @throws {Error} When the runtime does not revoke its permissions.
 */
export function sealByRuntime(
  { readsFiles, looksAtFiles = false, asksSystem = false }: SealNeeds = {},
): void {
  for (const name of REVOKED) revoke(name);
  if (!looksAtFiles && readsFiles === undefined) revoke("read");
  if (!asksSystem) revoke("sys");
  // The runtime's inner functions, of which some ask for no permission.
  Reflect.deleteProperty(Deno, Reflect.get(Deno, "internal"));
}

function revoke(name: Deno.PermissionDescriptor["name"]): void {
  const { state } = Deno.permissions.revokeSync({ name });
  if (state === "granted") throw new Error(`Cannot revoke the permission to ${name}`);
}

/** Why the seal is not whole; `undefined` when it is. */
export function sealGap(
  { kernelError, readsFiles, staysRoot, keepsCapabilities }: Seal,
): string | undefined {
  const gaps = [
    kernelError ?? (readsFiles && `files can be read: ${readsFiles}`),
    staysRoot && `it stays root: ${staysRoot}`,
    keepsCapabilities,
  ].filter((gap) => gap !== undefined);
  return gaps.length === 0 ? undefined : gaps.join("; ");
}

/** The seal as the log and `health` name it. */
export function describeSeal(seal: Seal): string {
  const gap = sealGap(seal);
  const how = gap === undefined
    ? SEALED
    : seal.kernelError === undefined
    ? `${SEALED}, but ${gap}`
    : `sealed by the runtime only: ${gap}`;
  if (!seal.wasRoot || seal.staysRoot !== undefined) return how;
  return `${how}${ROOT_UNTIL_SEALED}${seal.user === NOBODY ? SHARED : `user ${seal.user}`})`;
}

const SEALED = "sealed by the kernel and the runtime";
const ROOT_UNTIL_SEALED = " (root until sealed, then ";
const SHARED = "nobody, whose other programs may reach its helper shell";

/** Whether this text of {@linkcode describeSeal} names a whole seal. */
export function isWhole(text: string): boolean {
  return text === SEALED || text.startsWith(SEALED + ROOT_UNTIL_SEALED);
}

/** Whether an agent of this text of {@linkcode describeSeal} was root until it sealed itself. */
export function wasRoot(text: string): boolean {
  return text.includes(ROOT_UNTIL_SEALED);
}

/** Whether a user of this process is root, on Linux: the real one, the effective or the saved. */
export function isRoot(): boolean {
  if (Deno.build.os !== "linux") return false;
  return Deno.uid() === 0 ||
    /^Uid:.*\t0\b/m.test(attempt(() => Deno.readTextFileSync("/proc/self/status")) ?? "");
}

/**
 * Seals by the kernel's filter alone.
 *
 * @throws {Error} When the kernel does not take it.
 */
export function sealByKernel(needs: SealNeeds = {}): void {
  prepareSeal(needs);
  installSeccompFilter(needs);
}

/** @throws {Error} When the filter would leave a gap, or where there are no filters. */
function prepareSeal(needs: SealNeeds): void {
  if (Deno.build.os !== "linux") throw new Error("macOS has no seccomp filters");
  // The filter keeps the runtime from installing its handler of SIGUSR1, so it must be there.
  hardenProcess();
  limitFileSizes();
  makeRuntimeCachesReadOnly();
  if (mayBind(needs)) nameUnixSockets();
}

/**
 * Makes root's process one of another user without any capability, for good: all its threads, which only
 * the C library's own functions change. What is open stays open.
 *
 * @param user The id of the user and of the group.
 * @throws {Error} When the system refuses; the process goes on as root then.
 */
export function giveUpRoot(user: number = findFreeUser()): void {
  awaitThreads();
  const libc = openLibrary(USER_SYMBOLS);
  using _ = libc;
  const { setgroups, setresgid, setresuid, __errno_location } = libc.symbols;
  const isDone = setresgid(user, user, user, NO_STUB_VALUE) === 0 &&
    setgroups(0n, 0n, NO_STUB_VALUE) === 0 &&
    setresuid(user, user, user, NO_STUB_VALUE) === 0;
  if (!isDone) throw new Error(reasonOf(__errno_location(NO_STUB_VALUE), USER_REASONS));
}

/** A thread may wait for a disk for so long. */
const THREAD_PATIENCE_MS = 1_000;

/**
 * Waits until no thread is within a call that can't be interrupted: the C library waits for all of them,
 * for ever where a mount never answers.
 *
 * @throws {Error} When one is for too long.
 */
function awaitThreads(): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; isThreadWaiting(); waitedMs += 20) {
    if (waitedMs >= THREAD_PATIENCE_MS) throw new Error("a mount does not answer");
    Atomics.wait(pause, 0, 0, 20);
  }
}

function isThreadWaiting(): boolean {
  return [...Deno.readDirSync("/proc/self/task")].some(({ name }) => {
    const stat = attempt(() => Deno.readTextFileSync(`/proc/self/task/${name}/stat`)) ?? "";
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("D");
  });
}

/**
 * Puts a seccomp filter on all threads of this process, for good; threads and children that start
 * later have it too.
 *
 * It lets the process connect over the network, and read and write the files that are already open;
 * `needs` may allow more. Everything else that reaches out of the process fails with EPERM: see
 * `seccomp_policy.ts`.
 *
 * @throws {Error} When the kernel does not take it; nothing has changed then, except that no program
 * started later can gain privileges.
 */
export function installSeccompFilter(needs: SealNeeds): void {
  const architecture = Deno.build.arch === "x86_64" ? "amd64" : "arm64";
  const filter = buildSeccompFilter(architecture, Deno.pid, needs);
  const libc = openLibrary(FILTER_SYMBOLS);
  using _ = libc;
  const { symbols } = libc;
  const fail = (what: string) => {
    const reason = reasonOf(symbols.__errno_location(NO_STUB_VALUE), FILTER_REASONS);
    return new Error(`Cannot ${what}: ${reason}`);
  };
  if (symbols.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n, NO_STUB_VALUE) !== 0) {
    throw fail("set no_new_privs");
  }
  const result = symbols.syscall(
    BigInt(SECCOMP[architecture]),
    SECCOMP_SET_MODE_FILTER,
    SECCOMP_FILTER_FLAG_TSYNC,
    programOf(filter),
    NO_STUB_VALUE,
  );
  if (result < 0n) throw fail("install the seccomp filter");
  // The number of a thread that has a filter which the others lack.
  if (result > 0n) {
    throw new Error(`Cannot install the seccomp filter: thread ${result} has another`);
  }
}

/** What the C library says about the call right before; `place` is that of its `errno`. */
function reasonOf(place: Deno.PointerValue, reasons: ReadonlyMap<number, string>): string {
  const number = place === null ? 0 : new Deno.UnsafePointerView(place).getInt32();
  return reasons.get(number) ?? `error ${number}`;
}

/** `struct sock_fprog`: the number of instructions, and where they are. */
function programOf(filter: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, filter.length / 8, true);
  view.setBigUint64(8, Deno.UnsafePointer.value(Deno.UnsafePointer.of(filter)), true);
  return bytes;
}
