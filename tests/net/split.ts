import fc from "fast-check";

/** Cuts bytes at the given places; copies, so that none may rely on its neighbours. */
export function split(bytes: Uint8Array, cuts: readonly number[]): Uint8Array<ArrayBuffer>[] {
  const places = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  let from = 0;
  return places.sort((a, b) => a - b).map((to) => Uint8Array.from(bytes.subarray(from, from = to)));
}

/** Places to cut at. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.nat({ max: 5000 }), { maxLength: 30 });
