import { assertEquals, assertThrows } from "@std/assert";
import { installSeccompFilter } from "../../lib/sandbox/seal.ts";
import { buildSeccompFilter } from "../../lib/sandbox/seccomp_filter.ts";

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
  const { dlopen } = Deno;
  const value = () => ({ symbols, close: () => calls.push(["close"]) });
  Object.defineProperty(Deno, "dlopen", { value, configurable: true, writable: true });
  try {
    installSeccompFilter({});
    return calls;
  } finally {
    Object.defineProperty(Deno, "dlopen", { value: dlopen, configurable: true, writable: true });
  }
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
  for (
    const [answers, message] of [
      [{ syscall: -1n, errno: 1 }, "install the seccomp filter: the system forbids it (EPERM)"],
      [{ syscall: -1n, errno: 13 }, "install the seccomp filter: the system forbids it (EACCES)"],
      [
        { syscall: -1n, errno: 22 },
        "install the seccomp filter: the kernel was built without seccomp filters (EINVAL)",
      ],
      [
        { syscall: -1n, errno: 38 },
        "install the seccomp filter: the kernel or the container lacks the call (ENOSYS)",
      ],
      [{ syscall: -1n, errno: 12 }, "install the seccomp filter: error 12"],
      [{ syscall: -1n }, "install the seccomp filter: error 0"],
      [{ syscall: 7n }, "install the seccomp filter: thread 7 has another"],
      [
        { prctl: -1, errno: 22 },
        "give up gaining privileges: " +
        "the kernel was built without seccomp filters (EINVAL)",
      ],
    ] as const
  ) {
    const error = assertThrows(() => install(answers), Error);
    assertEquals(error.message, `Cannot ${message}`);
  }
});
