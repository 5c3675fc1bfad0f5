/** Enough of a file's beginning to recognize its target. */
export const EXECUTABLE_HEAD_BYTES = 20;

/** Offset of the machine in an ELF header, and its values. */
const ELF_MACHINE_AT = 18;
const ELF_MACHINES: ReadonlyMap<number, string> = new Map([[0x3e, "amd64"], [0xb7, "arm64"]]);
const MACH_PROCESSORS: ReadonlyMap<number, string> = new Map([
  [0x0100_0007, "amd64"],
  [0x0100_000c, "arm64"],
]);
const MACH_64 = 0xfeed_facf;

/**
 * The target of an executable by its first bytes: `linux-amd64`, `darwin-arm64` and so on for 64
 * bits, `portable` for a script; `undefined` for anything else, such as an HTML page.
 */
export function executableTarget(head: Uint8Array): string | undefined {
  if (head[0] === 0x23 && head[1] === 0x21) return "portable";
  if (head.length < EXECUTABLE_HEAD_BYTES) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.getUint32(0, true) === MACH_64) {
    return target("darwin", MACH_PROCESSORS.get(view.getUint32(4, true)));
  }
  const isElf = view.getUint32(0) === 0x7f45_4c46;
  const is64Bits = head[4] === 2 && head[5] === 1;
  if (!isElf || !is64Bits) return undefined;
  return target("linux", ELF_MACHINES.get(view.getUint16(ELF_MACHINE_AT, true)));
}

function target(os: string, arch: string | undefined): string | undefined {
  return arch === undefined ? undefined : `${os}-${arch}`;
}
