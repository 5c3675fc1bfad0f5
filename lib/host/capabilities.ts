/**
 * Capabilities of the calling thread, by `capget`, `capset` and `prctl`; and of all threads.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { NO_STUB, NO_STUB_VALUE, openLibrary } from "./ffi.ts";

const SYMBOLS = {
  capget: { parameters: ["buffer", "buffer", NO_STUB], result: "i32" },
  capset: { parameters: ["buffer", "buffer", NO_STUB], result: "i32" },
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize", NO_STUB], result: "i32" },
} as const;

/** Their numbers. */
const CAPABILITIES = { NET_ADMIN: 12, NET_RAW: 13 } as const;

const VERSION_3 = 0x20080522;
/** `struct __user_cap_data_struct[2]`: the lower halves of the three sets, and then the upper ones. */
const SETS = { effective: 0, inheritable: 2, inheritableUpper: 5, words: 6 } as const;
/** The numbers that there are, and some to come. */
const ALL = Array.from({ length: 48 }, (_, number) => BigInt(number));

const PR_GET_SECUREBITS = 27;
const PR_SET_SECUREBITS = 28;
/** A change from root to another user takes no capability away. */
const SECBIT_NO_SETUID_FIXUP = 4;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_IS_SET = 1n;
const PR_CAP_AMBIENT_RAISE = 2n;
const PR_CAP_AMBIENT_CLEAR_ALL = 4n;
const SIG_ERR = 0xffff_ffff_ffff_ffffn;

type Symbols = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** Runs something without a capability in effect, and takes it back; both on this thread alone. */
export function withoutCapability<T>(name: keyof typeof CAPABILITIES, run: () => T): T {
  const libc = openLibrary(SYMBOLS);
  using _ = libc;
  const before = readSets(libc.symbols);
  const sets = before.slice();
  sets[SETS.effective] = (sets[SETS.effective] ?? 0) & ~(1 << CAPABILITIES[name]);
  writeSets(libc.symbols, sets);
  try {
    return run();
  } finally {
    writeSets(libc.symbols, before);
  }
}

/**
 * Starts something that has one capability of this thread's and no other, if it has that: `ping`'s right to
 * raw sockets.
 *
 * @param leavesRoot Whether root starts it as another user, who has the capability, too. The bit for that is
 * inherited: by it, a setuid program that becomes its caller again would keep all of root's capabilities. So
 * what is started gains none by such a program, nor does what this thread starts later.
 */
export function keepingCapability<T>(
  name: keyof typeof CAPABILITIES,
  start: () => T,
  { leavesRoot = false } = {},
): T {
  const libc = openLibrary(SYMBOLS);
  using _ = libc;
  const { symbols } = libc;
  const prctl = (option: number, one = 0n, two = 0n) =>
    symbols.prctl(option, one, two, 0n, 0n, NO_STUB_VALUE);
  const bit = 1 << CAPABILITIES[name];
  const number = BigInt(CAPABILITIES[name]);
  const before = readSets(symbols);
  const ambient = ALL.filter((it) => prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, it) === 1);
  const secureBits = prctl(PR_GET_SECUREBITS);
  const sets = before.slice();
  [sets[SETS.inheritable], sets[SETS.inheritableUpper]] = [bit, 0];
  // The ambient ones go with the inheritable. Without it, or without the right to pass it on, what is
  // started has none.
  writeSets(symbols, sets);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number);
  if (leavesRoot) {
    prctl(PR_SET_SECUREBITS, BigInt(secureBits | SECBIT_NO_SETUID_FIXUP));
    // Without the right to set the bit the capability is lost, and a setuid `ping` is the only one left.
    const isSet = (prctl(PR_GET_SECUREBITS) & SECBIT_NO_SETUID_FIXUP) !== 0;
    if (isSet) prctl(PR_SET_NO_NEW_PRIVS, 1n);
  }
  try {
    return start();
  } finally {
    prctl(PR_SET_SECUREBITS, BigInt(secureBits));
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL);
    writeSets(symbols, before);
    for (const it of ambient) prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, it);
  }
}

const DROP_SYMBOLS = {
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64", NO_STUB], result: "usize" },
  mprotect: { parameters: ["usize", "usize", "i32", NO_STUB], result: "i32" },
  memcpy: { parameters: ["usize", "buffer", "usize", NO_STUB], result: "usize" },
  signal: { parameters: ["i32", "usize", NO_STUB], result: "usize" },
  syscall: { parameters: ["i64", "usize", "usize", "usize", NO_STUB], result: "i64" },
} as const;

const PAGE_BYTES = 4096n;
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
/** `MAP_PRIVATE | MAP_ANONYMOUS`. */
const MAP_MEMORY = 0x22;
const TGKILL = { x86_64: 234n, aarch64: 131n } as const;
/** Neither the C library nor the runtime uses it. */
const DROP_SIGNAL = 50;
/** A thread may wait for a disk for so long. */
const THREAD_MS = 1_000;

/**
 * Empties the sets of capabilities of this process, for good: the permitted, effective, inheritable and
 * ambient ones of all threads. The bounding set matters only to a program that is started. Without any it
 * does nothing.
 *
 * A thread can change its own alone, and the C library has a function for all only for changes of the
 * user. So each gets a signal, whose handler makes the system call.
 *
 * @throws {Error} When a thread keeps some.
 */
export function dropCapabilities(): void {
  const first = threadsWithCapabilities();
  if (first.length === 0) return;
  const libc = openLibrary(DROP_SYMBOLS);
  using _ = libc;
  const { mmap, mprotect, memcpy, signal, syscall } = libc.symbols;
  const handler = mmap(0n, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_MEMORY, -1, 0n, NO_STUB_VALUE);
  const code = handlerAt(handler);
  memcpy(handler, code, BigInt(code.length), NO_STUB_VALUE);
  // It stays, since a thread may still be in it: it empties sets that are empty already.
  const isReady = mprotect(handler, PAGE_BYTES, PROT_READ | PROT_EXEC, NO_STUB_VALUE) === 0 &&
    signal(DROP_SIGNAL, handler, NO_STUB_VALUE) !== SIG_ERR;
  if (!isReady) {
    throw new Error("it keeps its capabilities: the system forbids the code that drops them");
  }
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const asked = new Set<number>();
  const endMs = performance.now() + THREAD_MS;
  for (let left = first; left.length > 0; left = threadsWithCapabilities()) {
    if (performance.now() > endMs) throw new Error("it keeps its capabilities in a thread");
    for (const thread of left) {
      if (asked.has(thread)) continue;
      asked.add(thread);
      syscall(
        TGKILL[Deno.build.arch],
        BigInt(Deno.pid),
        BigInt(thread),
        BigInt(DROP_SIGNAL),
        NO_STUB_VALUE,
      );
    }
    Atomics.wait(pause, 0, 0, 1);
  }
}

/** The threads of this process that have any. */
function threadsWithCapabilities(): number[] {
  const threads = Array.from(Deno.readDirSync("/proc/self/task"), ({ name }) => Number(name));
  return threads.filter((thread) => {
    // It may have ended.
    const text = attempt(() => Deno.readTextFileSync(`/proc/self/task/${thread}/status`)) ?? "";
    return /^Cap(?:Inh|Prm|Eff|Amb):\s+0*[1-9a-f]/m.test(text);
  });
}

/** Where the arguments of `capset` are, behind the code. */
const HEADER_AT = 64n;
const SETS_AT = 72n;
const HANDLER_BYTES = 96;

/** Machine code of a signal's handler, with the data behind it: `capset`, all sets empty. */
function handlerAt(address: bigint): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HANDLER_BYTES);
  const view = new DataView(bytes.buffer);
  const [header, sets] = [address + HEADER_AT, address + SETS_AT];
  if (Deno.build.arch === "x86_64") {
    bytes.set([0xb8, 126, 0, 0, 0]); // mov eax, capset
    bytes.set([0x48, 0xbf], 5); // mov rdi, header
    view.setBigUint64(7, header, true);
    bytes.set([0x48, 0xbe], 15); // mov rsi, sets
    view.setBigUint64(17, sets, true);
    bytes.set([0x0f, 0x05, 0xc3], 25); // syscall; ret
  } else {
    // mov x8, capset; ldr x0, header; ldr x1, sets; svc 0; ret
    new Uint32Array(bytes.buffer, 0, 5)
      .set([0xd2800b68, 0x580000a0, 0x580000c1, 0xd4000001, 0xd65f03c0]);
    view.setBigUint64(24, header, true);
    view.setBigUint64(32, sets, true);
  }
  view.setUint32(Number(HEADER_AT), VERSION_3, true);
  return bytes;
}

function readSets({ capget }: Symbols): Uint32Array<ArrayBuffer> {
  const sets = new Uint32Array(SETS.words);
  capget(headerOfThread(), sets, NO_STUB_VALUE);
  return sets;
}

function writeSets({ capset }: Symbols, sets: Uint32Array<ArrayBuffer>): void {
  capset(headerOfThread(), sets, NO_STUB_VALUE);
}

function headerOfThread(): Uint32Array<ArrayBuffer> {
  return new Uint32Array([VERSION_3, 0]);
}
