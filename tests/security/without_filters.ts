/**
 * Runs a program as in a container that forbids seccomp filters: `without_filters.ts PROGRAM WORD…`
 * ends with its exit code.
 *
 * @module
 */

const isAmd64 = Deno.build.arch === "x86_64";
const SECCOMP = isAmd64 ? 317 : 277;

/** Loads the number, and answers `seccomp` with EPERM and everything else with "allow". */
const FILTER = [
  [0x20, 0, 0, 0],
  [0x15, 0, 1, SECCOMP],
  [0x06, 0, 0, 0x00050001],
  [0x06, 0, 0, 0x7fff0000],
];

const program = new Uint8Array(8 * FILTER.length);
const view = new DataView(program.buffer);
FILTER.forEach(([code = 0, ifTrue = 0, ifFalse = 0, value = 0], index) => {
  view.setUint16(8 * index, code, true);
  view.setUint8(8 * index + 2, ifTrue);
  view.setUint8(8 * index + 3, ifFalse);
  view.setUint32(8 * index + 4, value, true);
});
const reference = new Uint8Array(16);
new DataView(reference.buffer).setUint16(0, FILTER.length, true);
new DataView(reference.buffer).setBigUint64(
  8,
  Deno.UnsafePointer.value(Deno.UnsafePointer.of(program)),
  true,
);
const { symbols } = Deno.dlopen("libc.so.6", {
  prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" },
  syscall: { parameters: ["i64", "u32", "u32", "buffer"], result: "i64" },
});
if (symbols.prctl(38, 1n, 0n, 0n, 0n) !== 0) throw new Error("Cannot set no_new_privs");
if (symbols.syscall(BigInt(SECCOMP), 1, 1, reference) !== 0n) {
  throw new Error("Cannot install a seccomp filter");
}
const [command = "", ...args] = Deno.args;
const { code } = await new Deno.Command(command, { args, stdin: "null" }).output().then((it) => {
  Deno.stdout.writeSync(it.stdout);
  Deno.stderr.writeSync(it.stderr);
  return it;
});
Deno.exit(code);
