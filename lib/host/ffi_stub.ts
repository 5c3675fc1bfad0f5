/**
 * A parameter behind a call's true ones, for calls into the C library: the callee ignores it, and the
 * runtime compiles no machine code for calls that have it. The compiler alone would cost 2 MB.
 */
export const NO_STUB = { struct: ["u8"] } as const;

/** The argument for {@linkcode NO_STUB}. */
export const NO_STUB_VALUE: Uint8Array<ArrayBuffer> = new Uint8Array(1);
