import { NO_STUB, NO_STUB_VALUE, openLibrary } from "../host/ffi.ts";

const SYMBOLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer", NO_STUB], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32", NO_STUB], result: "i32" },
} as const;

const AF_UNIX = 1;
/** `struct sockaddr_un` without a name: the family alone. */
const UNNAMED_BYTES = 2;
const ADDRESS_BYTES = 110;

/**
 * Gives each nameless unix socket of this process a name that is no file.
 *
 * The runtime makes pairs of sockets for itself, and a supervisor may pass some. Such a socket takes a
 * name once, and native code of an attacker's could make that a file at any path.
 *
 * @throws {Error} When one can't be named.
 */
export function nameUnixSockets(): void {
  const library = openLibrary(SYMBOLS);
  using _ = library;
  const { getsockname, bind } = library.symbols;
  const unnamed = new Uint8Array(new Uint16Array([AF_UNIX]).buffer);
  for (const { name } of Array.from(Deno.readDirSync("/proc/self/fd"))) {
    const descriptor = Number(name);
    const address = new Uint16Array(ADDRESS_BYTES / 2);
    const length = new Uint32Array([ADDRESS_BYTES]);
    // It is no socket, or it was the handle by which the folder was read.
    if (getsockname(descriptor, address, length, NO_STUB_VALUE) !== 0) continue;
    if (address[0] !== AF_UNIX || length[0] !== UNNAMED_BYTES) continue;
    // An address without a name asks the kernel for one.
    if (bind(descriptor, unnamed, UNNAMED_BYTES, NO_STUB_VALUE) !== 0) {
      throw new Error(`Cannot name the unix socket ${descriptor}`);
    }
  }
}
