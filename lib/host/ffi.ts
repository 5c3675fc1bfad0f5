/** The last parameter of a call, which the callee ignores: for one with a struct, the runtime loads no compiler, of 2 MB. */
export const NO_STUB = { struct: ["u8"] } as const;

/** Its argument. */
export const NO_STUB_VALUE: Uint8Array<ArrayBuffer> = new Uint8Array(1);

/** The C library of 64-bit Linux. */
export const LIBC = "libc.so.6";

/**
 * Opens functions of the C library until the result is disposed of. The runtime is linked with the
 * library, so it is always there.
 *
 * @throws {Error} When it can't be opened: without the permission, after the seal, or where it lacks one
 * of the functions.
 */
export function openLibrary<S extends Deno.ForeignLibraryInterface>(
  symbols: S,
  name: string = LIBC,
): Deno.DynamicLibrary<S> & Disposable {
  try {
    const library = Deno.dlopen(name, symbols);
    return Object.assign(library, { [Symbol.dispose]: () => library.close() });
  } catch (cause) {
    throw new Error("Cannot open the C library", { cause });
  }
}
