import { attempt } from "../attempt.ts";
import { LIBC, NO_STUB, NO_STUB_VALUE, openLibrary } from "../host/ffi.ts";

const SYMBOLS = {
  dlsym: { parameters: ["isize", "buffer", NO_STUB], result: "usize" },
  signal: { parameters: ["i32", "usize", NO_STUB], result: "usize" },
  getrlimit: { parameters: ["i32", "buffer", NO_STUB], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer", NO_STUB], result: "i32" },
  prctl: {
    parameters: ["i32", "usize", "usize", "usize", "usize", NO_STUB],
    result: "i32",
    optional: true,
  },
} as const;

const LINUX = { library: LIBC, sigusr1: 10, rtldDefault: 0n } as const;
const DARWIN = { library: "libSystem.B.dylib", sigusr1: 30, rtldDefault: -2n } as const;

/** The same on Linux and macOS. */
const RLIMIT_CORE = 4;
const RLIMIT_FSIZE = 1;
const SIGXFSZ = 25;
const SIG_IGN = 1n;
/** What a sealed agent writes is a tenth of it. */
const MAX_FILE_BYTES = 16n * 1024n * 1024n;
const PR_SET_DUMPABLE = 4;
const SIG_ERR = 0xffff_ffff_ffff_ffffn;

/**
 * Closes two doors of this process to others on the machine, for good: a debugger and core dumps.
 *
 * @throws {Error} When the C library can't be opened or refuses.
 */
export function hardenProcess(): void {
  const { library, sigusr1, rtldDefault } = Deno.build.os === "darwin" ? DARWIN : LINUX;
  const libc = openLibrary(SYMBOLS, library);
  using _ = libc;
  const { dlsym, signal, getrlimit, setrlimit, prctl } = libc.symbols;

  // At this signal the runtime opens a debugger to every local user. It installs its handler half a
  // second after the start, or with the first listener, and then never again. A handler that does
  // nothing, unlike SIG_IGN, is not inherited by the programs of remote control.
  Deno.addSignalListener("SIGUSR1", () => {});
  const abs = dlsym(rtldDefault, new TextEncoder().encode("abs\0"), NO_STUB_VALUE);
  if (abs === 0n || signal(sigusr1, abs, NO_STUB_VALUE) === SIG_ERR) {
    throw new Error("Cannot ignore the signal SIGUSR1");
  }

  // A core dump would hold the token. Where the kernel pipes one to a program, as root, it does so at a
  // limit of 0, too, but not at one of 1 byte. Programs that are started may raise the limit again.
  const limit = new BigUint64Array(2);
  if (getrlimit(RLIMIT_CORE, limit, NO_STUB_VALUE) !== 0) throw new Error("Cannot read limits");
  limit[0] = 1n;
  const isLimited = setrlimit(RLIMIT_CORE, limit, NO_STUB_VALUE) === 0;
  // Such a process has none whatever the limit. Its own user's `update` could not look at it any more,
  // so only root has it, and who may not raise a limit of 0.
  if (Deno.uid() === 0 || !isLimited) {
    const result = prctl?.(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n, NO_STUB_VALUE);
    if (!isLimited && result !== 0) throw new Error("Cannot forbid core dumps");
  }
}

const FCNTL = {
  fcntl: { parameters: ["i32", "i32", "usize", NO_STUB], result: "i32" },
} as const;
const F_SETFD = 2;
const FD_CLOEXEC = 1n;

/**
 * Keeps what the starter of this process has left open from the programs that it starts. It stays open in
 * this process: the starter may hold a lock by it.
 *
 * @throws {Error} When the C library or `/proc` can't be opened.
 */
export function passNoDescriptors(): void {
  const libc = openLibrary(FCNTL);
  using _ = libc;
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    if (Number(name) > 2) libc.symbols.fcntl(Number(name), F_SETFD, FD_CLOEXEC, NO_STUB_VALUE);
  }
}

/**
 * Bounds every file that this process writes, for good: an attacker's code in it can't fill a disk, or
 * memory, through a file that is open. Where the log is a file, which may grow, there is no bound.
 *
 * @throws {Error} When the C library can't be opened or refuses.
 */
export function limitFileSizes(): void {
  const logsToFile = [1, 2].some((descriptor) =>
    attempt(() => Deno.statSync(`/proc/self/fd/${descriptor}`).isFile) === true
  );
  if (logsToFile) return;
  const libc = openLibrary(SYMBOLS);
  using _ = libc;
  const { signal, getrlimit, setrlimit } = libc.symbols;
  // A write beyond it fails, and does not end the process.
  signal(SIGXFSZ, SIG_IGN, NO_STUB_VALUE);
  const limit = new BigUint64Array(2);
  if (getrlimit(RLIMIT_FSIZE, limit, NO_STUB_VALUE) !== 0) throw new Error("Cannot read limits");
  const [, hard = 0n] = limit;
  limit.fill(hard < MAX_FILE_BYTES ? hard : MAX_FILE_BYTES);
  if (setrlimit(RLIMIT_FSIZE, limit, NO_STUB_VALUE) !== 0) throw new Error("Cannot limit files");
}
