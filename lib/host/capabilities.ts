/**
 * Capabilities of the calling thread, by `capget`, `capset` and `prctl`.
 *
 * @module
 */

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
const SETS = { effective: 0, permitted: 1, inheritable: 2, words: 6 } as const;

const PR_GET_SECUREBITS = 27;
const PR_SET_SECUREBITS = 28;
/** A change from root to another user takes no capability away. */
const SECBIT_NO_SETUID_FIXUP = 4;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2n;
const PR_CAP_AMBIENT_LOWER = 3n;

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
 * Starts something as another user that keeps one capability of this thread's, `ping`'s right to raw
 * sockets, if it has it; all others go with the first program that the new process runs.
 */
export function keepingCapability<T>(name: keyof typeof CAPABILITIES, start: () => T): T {
  const libc = openLibrary(SYMBOLS);
  using _ = libc;
  const { symbols } = libc;
  const prctl = (option: number, one = 0n, two = 0n) =>
    symbols.prctl(option, one, two, 0n, 0n, NO_STUB_VALUE);
  const bit = 1 << CAPABILITIES[name];
  const number = BigInt(CAPABILITIES[name]);
  const before = readSets(symbols);
  const secureBits = prctl(PR_GET_SECUREBITS);
  const sets = before.slice();
  sets[SETS.inheritable] = (sets[SETS.inheritable] ?? 0) | bit;
  // Without it, or without the right to pass it on, what is started has none.
  writeSets(symbols, sets);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number);
  prctl(PR_SET_SECUREBITS, BigInt(secureBits | SECBIT_NO_SETUID_FIXUP));
  try {
    return start();
  } finally {
    prctl(PR_SET_SECUREBITS, BigInt(secureBits));
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, number);
    writeSets(symbols, before);
  }
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
