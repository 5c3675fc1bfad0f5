import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { FrameEncoder, OPCODE } from "../../lib/net/websocket_frames.ts";
import { clientFrames } from "./client_frames.ts";

Deno.test("FrameEncoder.encode() makes frames that a server can decode", () => {
  const encoder = new FrameEncoder();
  // Around the sizes where a head grows, and where a frame needs memory of its own.
  const count = fc.oneof(
    ...[0, 60, 126, 1024, 1360, 2040, 4080].map((most) =>
      fc.integer({ min: Math.max(0, most - 40), max: most + 40 })
    ),
  );
  const payload = fc.oneof(
    fc.tuple(fc.constantFrom("a", "é", "漢", "😀"), count).map(([unit, count]) =>
      unit.repeat(count)
    ),
    fc.tuple(fc.nat({ max: 255 }), count).map(([first, length]) =>
      Uint8Array.from({ length }, (_, index) => first + index)
    ),
  );
  fc.assert(fc.property(payload, (payload) => {
    const isText = typeof payload === "string";
    const opcode = isText ? OPCODE.text : OPCODE.binary;
    const frames = clientFrames(encoder.encode(opcode, payload));
    assertEquals(frames.length, 1);
    assertEquals([frames[0]?.final, frames[0]?.opcode, frames[0]?.masked], [true, opcode, true]);
    const expected = isText ? new TextEncoder().encode(payload) : Uint8Array.from(payload);
    assertEquals(frames[0]?.payload, expected);
  }));
});

for (const length of [0, 1, 125, 126, 65_535, 65_536, 300_000]) {
  Deno.test(`FrameEncoder.encode() uses the shortest head for ${length} bytes`, () => {
    const payload = Uint8Array.from({ length }, (_, index) => index * 7);
    const frame = new FrameEncoder().encode(OPCODE.binary, payload);
    const head = length < 126 ? 6 : length < 65_536 ? 8 : 14;
    assertEquals(frame.length, head + length);
    assertEquals(clientFrames(frame)[0]?.payload, payload);
  });
}

Deno.test("FrameEncoder.encode() masks each frame with a new key, and reuses memory for small ones", () => {
  const encoder = new FrameEncoder();
  const masks = new Set<string>();
  const { buffer } = encoder.encode(OPCODE.text, "a");
  for (let count = 0; count < 200; count++) {
    const frame = encoder.encode(OPCODE.text, "x".repeat(500));
    assertStrictEquals(frame.buffer, buffer);
    masks.add(String(clientFrames(frame)[0]?.mask));
  }
  assert(masks.size > 190);
});
