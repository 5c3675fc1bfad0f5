/**
 * Texts that a build packs into its script, which is in the memory of every agent: `build/bundle.ts`
 * compresses those that few processes need.
 *
 * @module
 */

/** The text that was compressed by Brotli and written in Base64. */
export async function unpack(packed: string): Promise<string> {
  const bytes = new Blob([Uint8Array.fromBase64(packed)]).stream();
  return await new Response(bytes.pipeThrough(new DecompressionStream("brotli"))).text();
}

/** Loads a module from its text: by a `data:` URL, since a compiled program loads none from a blob. */
export async function importText<Module>(code: string): Promise<Module> {
  const base64 = new TextEncoder().encode(code).toBase64();
  return await import(`data:text/javascript;charset=utf-8;base64,${base64}`);
}
