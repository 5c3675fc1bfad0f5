import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { BufferedReader } from "../../lib/net/buffered_reader.ts";
import { ResponseError } from "../../lib/net/errors.ts";
import type { ResponseHead } from "../../lib/net/http_head.ts";
import { sameLater } from "../cases.ts";
import { timed } from "../fake_time.ts";
import { cuts, split } from "./split.ts";

const CHUNKED: ResponseHead = {
  status: 200,
  version: "1.1",
  headers: new Map([["transfer-encoding", "chunked"]]),
};

/** Of a body that ends with the connection. */
const TO_THE_END: ResponseHead = { ...CHUNKED, headers: new Map() };

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Reads from pieces, each of which arrives by itself; `reads` counts how often. */
function readerOf(pieces: Iterable<Uint8Array>, options?: { bufferBytes: number }) {
  const waiting = [...pieces];
  const stream = {
    reads: 0,
    read(into: Uint8Array<ArrayBuffer>): Promise<number | null> {
      stream.reads++;
      while (waiting[0]?.length === 0) waiting.shift();
      const [piece] = waiting;
      if (piece === undefined) return Promise.resolve(null);
      const part = piece.subarray(0, into.length);
      into.set(part);
      waiting[0] = piece.subarray(part.length);
      return Promise.resolve(part.length);
    },
  };
  return { reader: new BufferedReader(stream, options), stream };
}

/** A text in up to 90 pieces: each byte by itself if it is short. */
function lettersOf(text: string): Uint8Array[] {
  const bytes = bytesOf(text);
  return split(bytes, Array.from({ length: 90 }, (_, n) => Math.floor(n * bytes.length / 90)));
}

async function bodyOf(reader: BufferedReader, head = CHUNKED): Promise<string> {
  const all: number[] = [];
  for await (const part of reader.readBody(head)) all.push(...part);
  return new TextDecoder().decode(Uint8Array.from(all));
}

Deno.test("BufferedReader.readBody() gives the same body however its bytes are split", async () => {
  const chunk = fc.tuple(
    fc.string({ minLength: 1, maxLength: 80 }),
    fc.constantFrom("", ";a=b", " ; a"),
    fc.constantFrom("\r\n", "\n"),
  );
  const trailer = fc.constantFrom("", "A: b\r\n", "A: b\r\nC: d\n");
  const buffer = fc.integer({ min: 1, max: 200 });
  const parts = [fc.array(chunk), trailer, cuts, buffer] as const;
  await fc.assert(fc.asyncProperty(...parts, async (chunks, trailer, cuts, bufferBytes) => {
    const coded = chunks.map(([text, extension, ending]) => {
      const size = bytesOf(text).length.toString(16);
      return `${size}${extension}${ending}${text}${ending}`;
    }).join("");
    const bytes = bytesOf(`${coded}0\r\n${trailer}\r\nnext`);
    const { reader } = readerOf(split(bytes, cuts), { bufferBytes });
    assertEquals(await bodyOf(reader), chunks.map(([text]) => text).join(""));
    assertEquals(await bodyOf(reader, TO_THE_END), "next");
  }));
});

Deno.test("BufferedReader.readBody() ends at the last byte of the body, and leaves the rest", async () => {
  const coded = "5\r\nhello\r\n0\r\n\r\n";
  const slow = readerOf(lettersOf(coded));
  assertEquals(await bodyOf(slow.reader), "hello");
  assertEquals(slow.stream.reads, coded.length);
  const { reader } = readerOf([bytesOf(`${coded}HTTP`)]);
  assertEquals(await bodyOf(reader), "hello");
  assert(reader.hasUnread);
});

Deno.test("BufferedReader.readBody() takes long lines and trailers, up to its limits", async () => {
  const trailers = `A: ${"x".repeat(4_000)}\r\n`.repeat(8);
  const coded = `1;${"x".repeat(4_000)}\r\na\r\n0\r\n${trailers}\r\n`;
  for (const pieces of [[bytesOf(coded)], lettersOf(coded)]) {
    assertEquals(await bodyOf(readerOf(pieces).reader), "a");
  }
});

Deno.test("BufferedReader.readBody() throws when chunks are malformed or too long", async () => {
  const texts = [
    ...["\r\n", "fffffffff\r\n", "5\r5\r\n"],
    ...["5g", "-5", "0x5"].map((size) => `${size}\r\nhello\r\n`),
    // A chunk is longer than its size, lines and trailers do not end, or are too many.
    ...["4\r\nhello\r\n", `5;${"x".repeat(5000)}`, `1\r\nx${" ".repeat(5000)}`],
    ...[`0\r\n${`A: ${"x".repeat(1000)}\r\n`.repeat(40)}`, `0\r\n${"A: b\r\n".repeat(300)}`],
  ];
  for (const text of texts) {
    for (const pieces of [[bytesOf(text)], lettersOf(text)]) {
      const error = await assertRejects(() => bodyOf(readerOf(pieces).reader), ResponseError);
      assert(error.kind !== "closed", error.message);
    }
  }
});

/** A body in chunks of so many bytes, with a line of `extension` each. */
function inChunks(bytes: number, count: number, extension = ""): string {
  return `${bytes.toString(16)}${extension}\r\n${"x".repeat(bytes)}\r\n`.repeat(count);
}

Deno.test("BufferedReader.readBody() refuses chunks below 16 bytes on average, or with longer lines than data", async () => {
  const lengthOf = async (coded: string) => {
    let bytes = 0;
    const { reader } = readerOf([bytesOf(`${coded}0\r\n\r\n`)]);
    try {
      for await (const piece of reader.readBody(CHUNKED)) bytes += piece.length;
      return bytes;
    } catch (error) {
      assert(bytes < 20_000, `${bytes} bytes were read`);
      return error instanceof ResponseError && error.message.includes("chunks are too small");
    }
  };
  await sameLater(lengthOf, [
    [inChunks(1, 1024), 1024],
    [inChunks(31, 300) + inChunks(1, 300), 9600],
    [inChunks(16, 1000, ";a=b"), 16_000],
    [inChunks(1, 10_000), true],
    [inChunks(31, 300) + inChunks(1, 10_000), true],
    [inChunks(200, 1000, `;${"a".repeat(400)}`), true],
  ]);
});

timed.test("BufferedReader.read() waits for more where a peer sends a few bytes at a time", async (time) => {
  const { reader, stream } = readerOf(lettersOf("a".repeat(90)));
  for (let count = 0; count < 90; count++) await reader.read();
  assertEquals([stream.reads, time.timers], [90, 0]);
  const slow = readerOf(Array.from({ length: 2000 }, () => Uint8Array.of(97)));
  const reading = bodyOf(slow.reader, TO_THE_END);
  await time.run(39);
  assertEquals(slow.stream.reads, 101);
  await time.run(961);
  assert(slow.stream.reads <= 101 + 100, `${slow.stream.reads} reads after a second`);
  await time.run(60_000);
  assertEquals((await reading).length, 2000);
});

timed.test("BufferedReader.read() does not wait between reads of many bytes, or a few in a second", async (time) => {
  const large = readerOf(Array.from({ length: 5000 }, () => new Uint8Array(512)));
  while (await large.reader.read() !== undefined);
  const few = readerOf(Array.from({ length: 5000 }, () => new Uint8Array(1)));
  for (let count = 0; count < 5000; count++) {
    await few.reader.read();
    time.tick(10);
  }
  assertEquals([large.stream.reads, few.stream.reads, time.timers], [5001, 5000, 0]);
});

Deno.test("BufferedReader.readBody() throws ResponseErrors only", async () => {
  const piece = fc.constantFrom("0", "1", "a", "\r\n", "\n", "\r", ";", "xyz", "\0", "é");
  await fc.assert(fc.asyncProperty(fc.array(piece), async (pieces) => {
    try {
      await bodyOf(readerOf(pieces.map(bytesOf)).reader);
    } catch (error) {
      assert(error instanceof ResponseError);
    }
  }));
});

Deno.test("BufferedReader.readLines() finds the empty line however the bytes are split", async () => {
  const line = fc.tuple(fc.stringMatching(/^[a-z]{1,9}$/), fc.constantFrom("\n", "\r\n"));
  const empty = fc.constantFrom("\n", "\r\n");
  const buffer = fc.integer({ min: 1, max: 50 });
  const parts = [fc.array(line), empty, cuts, buffer] as const;
  await fc.assert(fc.asyncProperty(...parts, async (lines, empty, cuts, bufferBytes) => {
    const bytes = bytesOf(`${lines.flat().join("")}${empty}body`);
    const { reader } = readerOf(split(bytes, cuts), { bufferBytes });
    assertEquals(await reader.readLines(), lines.map(([text]) => text));
    assertEquals(await bodyOf(reader, TO_THE_END), "body");
  }));
});

Deno.test("BufferedReader.readLines() throws when a line or all lines are too long, or more than 256", async () => {
  const lines = ["x".repeat(101), `${"x".repeat(100)}\n`, "abc\n".repeat(30)];
  for (const pieces of lines.flatMap((text) => [[bytesOf(text)], lettersOf(text)])) {
    const { reader } = readerOf(pieces);
    const error = await assertRejects(() => reader.readLines(100), ResponseError, "too long");
    assertEquals(error.kind, "too long");
  }
  const read = (count: number) =>
    readerOf([bytesOf(`${"a\n".repeat(count)}\n`)]).reader.readLines();
  assertEquals((await read(256)).length, 256);
  await assertRejects(() => read(257), ResponseError, "too long");
});
