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

function take(decoder: FrameDecoder, pieces: Iterable<Uint8Array<ArrayBuffer>>): FrameEvent[] {
  return [...pieces].flatMap((piece) => {
    const events = [...decoder.decode(piece)];
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
  between: fc.array(fc.constantFrom("ping" as const, "pong" as const), { maxLength: 3 }),
});

Deno.test("FrameDecoder gives the same events however messages and bytes are split, each frame before its payload", () => {
  fc.assert(fc.property(fc.array(message, { maxLength: 6 }), cuts, (messages, cuts) => {
    const frames: Uint8Array[] = [];
    const expected: FrameEvent[] = [];
    const add = (opcode: number, bytes: Uint8Array, event?: FrameEvent, final = true) => {
      frames.push(serverFrame(opcode, bytes, { final }));
      expected.push({ kind: "frame", payloadBytes: bytes.length });
      if (event !== undefined) expected.push(event);
    };
    for (const { text, isText, fragments, between } of messages) {
      const whole = new TextEncoder().encode(text);
      const parts = split(whole, fragments);
      parts.forEach((part, index) => {
        const opcode = index > 0 ? OPCODE.continuation : isText ? OPCODE.text : OPCODE.binary;
        const event = isText
          ? { kind: "text", text } as const
          : { kind: "binary", bytes: whole } as const;
        if (index === parts.length - 1) return add(opcode, part, event);
        add(opcode, part, undefined, false);
        const kind = between[index];
        const bytes = new TextEncoder().encode(`${index}`);
        if (kind !== undefined) add(OPCODE[kind], bytes, { kind, bytes });
      });
    }
    const reason = "going away";
    const why = joined([Uint8Array.of(3, 233), new TextEncoder().encode(reason)]);
    add(OPCODE.close, why, { kind: "close", code: 1001, reason });
    const events = take(new FrameDecoder({ limit: MIB }), split(joined(frames), cuts));
    assertEquals(events, expected);
  }));
});

Deno.test("FrameDecoder throws when a server sends what it must not", () => {
  const { text, ping, close, continuation } = OPCODE;
  const start = serverFrame(text, "a", { final: false });
  const reserved = (bit: number) => [serverFrame(text, "a", { reserved: bit })];
  const table: [frames: Uint8Array[], words: string][] = [
    [reserved(0x40), "extension"],
    [reserved(0x20), "extension"],
    [reserved(0x10), "extension"],
    [[serverFrame(text, "a", { masked: true })], "mask"],
    [[serverFrame(3, "a")], "opcode 3"],
    [[serverFrame(11)], "opcode 11"],
    [[serverFrame(ping, "", { final: false })], "fragments"],
    [[serverFrame(ping, "a".repeat(126))], "too long"],
    [[serverFrame(close, "a")], "incomplete"],
    [[serverFrame(continuation, "a")], "out of order"],
    [[start, serverFrame(text, "b")], "out of order"],
    [[serverFrame(text, Uint8Array.of(0xC3, 0x28))], "UTF-8"],
    [[start, serverFrame(continuation, Uint8Array.of(0xC3))], "UTF-8"],
    [[serverFrame(close, Uint8Array.of(3, 232, 0xFF))], "UTF-8"],
  ];
  for (const [frames, words] of table) {
    const bytes = joined(frames);
    const singly = split(bytes, Array.from(bytes, (_, index) => index));
    for (const pieces of [[bytes], singly]) {
      assertThrows(() => take(new FrameDecoder({ limit: MIB }), pieces), SyntaxError, words);
    }
  }
});

Deno.test("FrameDecoder refuses a message that is too long by its head alone", () => {
  for (const declared of [BigInt(MIB + 1), 64n * BigInt(MIB), 1n << 63n, (1n << 64n) - 1n]) {
    const head = serverFrame(OPCODE.binary, "", { declared });
    assertThrows(() => take(new FrameDecoder({ limit: MIB }), [head]), RangeError, `${MIB}`);
  }
});

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

Deno.test("FrameEncoder.encode() makes frames that a server can decode", () => {
  const encoder = new FrameEncoder();
  // Around the sizes where a head grows, and where a frame needs memory of its own.
  const sizes = [0, 60, 126, 1024, 1360, 2040, 4080];
  const count = fc.tuple(fc.constantFrom(...sizes), fc.integer({ min: -40, max: 40 }))
    .map(([most, more]) => Math.max(0, most + more));
  const unit = fc.constantFrom("a", "é", "漢", "😀");
  const payload = fc.oneof(
    fc.tuple(unit, count).map(([unit, count]) => unit.repeat(count)),
    fc.tuple(fc.nat({ max: 255 }), count)
      .map(([first, length]) => Uint8Array.from({ length }, (_, index) => first + index)),
  );
  fc.assert(fc.property(payload, (payload) => {
    const isText = typeof payload === "string";
    const opcode = isText ? OPCODE.text : OPCODE.binary;
    const bytes = isText ? new TextEncoder().encode(payload) : Uint8Array.from(payload);
    const frames = clientFrames(encoder.encode(opcode, payload)).map(({ mask: _, ...it }) => it);
    assertEquals(frames, [{ final: true, opcode, masked: true, payload: bytes }]);
  }));
});

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
