import { NO_STUB, NO_STUB_VALUE, openLibrary } from "../host/ffi.ts";
import { buildSeccompFilter } from "./seccomp_filter.ts";
import type { SealNeeds } from "./seccomp_policy.ts";

const SYMBOLS = {
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
const REASONS: ReadonlyMap<number, string> = new Map([
  [1, "the system forbids it (EPERM)"],
  [13, "the system forbids it (EACCES)"],
  [22, "the kernel was built without seccomp filters (EINVAL)"],
  [38, "the kernel or the container lacks the call (ENOSYS)"],
]);

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
  const libc = openLibrary(SYMBOLS);
  using _ = libc;
  const { symbols } = libc;
  const errno = () => {
    const place = symbols.__errno_location(NO_STUB_VALUE);
    return place === null ? 0 : new Deno.UnsafePointerView(place).getInt32();
  };
  const fail = (what: string) => {
    const number = errno();
    return new Error(`Cannot ${what}: ${REASONS.get(number) ?? `error ${number}`}`);
  };
  if (symbols.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n, NO_STUB_VALUE) !== 0) {
    throw fail("give up gaining privileges");
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

/** `struct sock_fprog`: the number of instructions, and where they are. */
function programOf(filter: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, filter.length / 8, true);
  view.setBigUint64(8, Deno.UnsafePointer.value(Deno.UnsafePointer.of(filter)), true);
  return bytes;
}
