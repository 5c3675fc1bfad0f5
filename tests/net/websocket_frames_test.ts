import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  FrameDecoder,
  FrameEncoder,
  type FrameEvent,
  OPCODE,
} from "../../lib/net/websocket_frames.ts";
import { joined, serverFrame } from "./server_frames.ts";
import { cuts, split } from "./split.ts";
import { clientFrames } from "./client_frames.ts";

const MIB = 1024 * 1024;

/** All events but the headers of frames. */
function messagesOf(events: Iterable<FrameEvent>): FrameEvent[] {
  return [...events].filter(({ kind }) => kind !== "frame");
}

function take(decoder: FrameDecoder, pieces: Iterable<Uint8Array<ArrayBuffer>>): FrameEvent[] {
  return [...pieces].flatMap((piece) => {
    const events = messagesOf(decoder.decode(piece));
    // Whoever reads uses one buffer for all.
    piece.fill(0xAA);
    return events;
  });
}

/** What is in a message, with control frames between its fragments. */
const message = fc.record({
  text: fc.string({ unit: "binary", maxLength: 400 }).map((text) => text.toWellFormed()),
  isText: fc.boolean(),
  fragments: cuts,
  between: fc.array(fc.constantFrom("ping", "pong"), { maxLength: 3 }),
});

Deno.test("FrameDecoder gives the same events however messages and bytes are split", () => {
  fc.assert(fc.property(fc.array(message, { maxLength: 6 }), cuts, (messages, cuts) => {
    const frames: Uint8Array[] = [];
    const expected: FrameEvent[] = [];
    for (const { text, isText, fragments, between } of messages) {
      const whole = new TextEncoder().encode(text);
      const parts = split(whole, fragments);
      parts.forEach((part, index) => {
        const opcode = index > 0 ? OPCODE.continuation : isText ? OPCODE.text : OPCODE.binary;
        frames.push(serverFrame(opcode, part, { final: index === parts.length - 1 }));
        const control = index === parts.length - 1 ? undefined : between[index];
        if (control === "ping") {
          frames.push(serverFrame(OPCODE.ping, `${index}`));
          expected.push({ kind: "ping", bytes: new TextEncoder().encode(`${index}`) });
        } else if (control === "pong") {
          frames.push(serverFrame(OPCODE.pong, "anything"));
          expected.push({ kind: "pong", bytes: new TextEncoder().encode("anything") });
        }
      });
      expected.push(isText ? { kind: "text", text } : { kind: "binary", bytes: whole });
    }
    frames.push(serverFrame(OPCODE.close, joined([Uint8Array.of(3, 233), whyBytes])));
    expected.push({ kind: "close", code: 1001, reason: "going away" });
    const events = take(new FrameDecoder({ limit: MIB }), split(joined(frames), cuts));
    assertEquals(events, expected);
  }));
});

const whyBytes = new TextEncoder().encode("going away");

for (const length of [0, 125, 126, 65_535, 65_536, MIB]) {
  Deno.test(`FrameDecoder takes a message of ${length} bytes`, () => {
    const payload = Uint8Array.from({ length }, (_, index) => index * 3);
    const bytes = serverFrame(OPCODE.binary, payload);
    const events = messagesOf(new FrameDecoder({ limit: MIB }).decode(bytes));
    assertEquals(events.length, 1);
    const [event] = events;
    assert(event?.kind === "binary");
    assertEquals(event.bytes.length, length);
    assert(event.bytes.every((byte, index) => byte === payload[index]));
  });
}

const table = [
  ["the first reserved bit", [serverFrame(OPCODE.text, "a", { reserved: 0x40 })], "extension"],
  ["the second reserved bit", [serverFrame(OPCODE.text, "a", { reserved: 0x20 })], "extension"],
  ["the third reserved bit", [serverFrame(OPCODE.text, "a", { reserved: 0x10 })], "extension"],
  ["a masked frame", [serverFrame(OPCODE.text, "a", { masked: true })], "mask"],
  ["an unknown kind of message", [serverFrame(3, "a")], "opcode 3"],
  ["an unknown kind of control frame", [serverFrame(11)], "opcode 11"],
  ["a ping in fragments", [serverFrame(OPCODE.ping, "", { final: false })], "fragments"],
  ["a ping of 126 bytes", [serverFrame(OPCODE.ping, "a".repeat(126))], "too long"],
  ["incomplete", [serverFrame(OPCODE.close, "a")], "incomplete"],
  ["a fragment without a start", [serverFrame(OPCODE.continuation, "a")], "out of order"],
  ["a message within another", [
    serverFrame(OPCODE.text, "a", { final: false }),
    serverFrame(OPCODE.text, "b"),
  ], "out of order"],
  ["text that is no UTF-8", [serverFrame(OPCODE.text, Uint8Array.of(0xC3, 0x28))], "UTF-8"],
  ["text that ends within a letter", [
    serverFrame(OPCODE.text, "a", { final: false }),
    serverFrame(OPCODE.continuation, Uint8Array.of(0xC3)),
  ], "UTF-8"],
  ["a reason that is no UTF-8", [serverFrame(OPCODE.close, Uint8Array.of(3, 232, 0xFF))], "UTF-8"],
] as const;
for (const [what, frames, words] of table) {
  Deno.test(`FrameDecoder throws when a server sends ${what}`, () => {
    const bytes = joined(frames);
    assertThrows(() => take(new FrameDecoder({ limit: MIB }), [bytes.slice()]), SyntaxError, words);
    const singly = split(bytes, Array.from(bytes, (_, index) => index));
    assertThrows(() => take(new FrameDecoder({ limit: MIB }), singly), SyntaxError, words);
  });
}

for (const declared of [BigInt(MIB + 1), 64n * BigInt(MIB), 1n << 63n, (1n << 64n) - 1n]) {
  Deno.test(`FrameDecoder refuses a message of ${declared} bytes by its head alone`, () => {
    const head = serverFrame(OPCODE.binary, "", { declared });
    assertThrows(() => take(new FrameDecoder({ limit: MIB }), [head]), RangeError, `${MIB}`);
  });
}

Deno.test("FrameDecoder refuses fragments that are too long together", () => {
  const decoder = new FrameDecoder({ limit: 1000 });
  const half = "a".repeat(500);
  take(decoder, [serverFrame(OPCODE.text, half, { final: false })]);
  take(decoder, [serverFrame(OPCODE.continuation, half, { final: false })]);
  take(decoder, [serverFrame(OPCODE.continuation, "", { final: false })]);
  const last = serverFrame(OPCODE.continuation, "a");
  assertThrows(() => take(decoder, [last]), RangeError, "more than 1000 bytes");
});

Deno.test("FrameDecoder throws SyntaxErrors and RangeErrors only", () => {
  const odd = fc.tuple(
    fc.constantFrom(0, 0, 1, 2, 8, 9, 10, 11),
    fc.uint8Array({ maxLength: 130 }),
    fc.record({
      final: fc.boolean(),
      reserved: fc.constantFrom(0, 0, 0, 0, 16),
      masked: fc.constantFrom(false, false, false, true),
    }),
  ).map((parts) => serverFrame(...parts));
  const junk = fc.oneof(
    { weight: 5, arbitrary: fc.array(odd).map(joined) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  );
  fc.assert(fc.property(junk, cuts, (bytes, cuts) => {
    const outcomes = [[bytes.slice()], split(bytes, cuts)].map((pieces) => {
      const events: FrameEvent[] = [];
      const decoder = new FrameDecoder({ limit: 200 });
      try {
        for (const piece of pieces) {
          for (const event of decoder.decode(Uint8Array.from(piece))) events.push(event);
        }
      } catch (error) {
        assert(error instanceof SyntaxError || error instanceof RangeError);
        return { events, message: error.message };
      }
      return { events, message: "" };
    });
    assertEquals(outcomes[1], outcomes[0]);
  }));
});

Deno.test("FrameDecoder tells of each frame before its payload, however the bytes are split", () => {
  const frames = joined([
    serverFrame(1, "ab"),
    serverFrame(1, "long", { final: false }),
    serverFrame(9, "ping"),
    serverFrame(0, "", { final: false }),
    serverFrame(0, "er"),
  ]);
  for (const size of [1, 3, frames.length]) {
    const decoder = new FrameDecoder({ limit: 100 });
    const events: unknown[] = [];
    for (let at = 0; at < frames.length; at += size) {
      for (const event of decoder.decode(frames.slice(at, at + size))) {
        const { kind } = event;
        events.push(kind === "frame" ? event.payloadBytes : kind === "text" ? event.text : kind);
      }
    }
    assertEquals(events, [2, "ab", 4, 4, "ping", 0, 2, "longer"]);
  }
});

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
