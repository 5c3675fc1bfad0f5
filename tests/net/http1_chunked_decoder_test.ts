import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ChunkedDecoder } from "../../lib/net/http1.ts";
import { cuts, split } from "./split.ts";

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function take(body: ChunkedDecoder, pieces: Iterable<Uint8Array<ArrayBuffer>>): string {
  const all: number[] = [];
  for (const piece of pieces) {
    for (const part of body.decode(piece)) all.push(...part);
  }
  return new TextDecoder().decode(Uint8Array.from(all));
}

Deno.test("ChunkedDecoder gives the same body however its bytes are split", () => {
  const chunk = fc.tuple(
    fc.string({ minLength: 1, maxLength: 80 }),
    fc.constantFrom("", ";a=b", " ; a"),
    fc.constantFrom("\r\n", "\n"),
  );
  const trailer = fc.constantFrom("", "A: b\r\n", "A: b\r\nC: d\n");
  fc.assert(fc.property(fc.array(chunk), trailer, cuts, (chunks, trailer, cuts) => {
    const coded = chunks.map(([text, extension, ending]) => {
      const size = bytesOf(text).length.toString(16);
      return `${size}${extension}${ending}${text}${ending}`;
    }).join("");
    const body = new ChunkedDecoder();
    const bytes = bytesOf(`${coded}0\r\n${trailer}\r\n`);
    assertEquals(take(body, split(bytes, cuts)), chunks.map(([text]) => text).join(""));
    assertEquals([body.ended, body.excess], [true, 0]);
  }));
});

Deno.test("ChunkedDecoder ends at its last byte, and leaves the rest", () => {
  const coded = "5\r\nhello\r\n0\r\n\r\n";
  const body = new ChunkedDecoder();
  for (const letter of coded) {
    assertEquals(body.ended, false);
    body.decode(bytesOf(letter));
  }
  assertEquals(body.ended, true);
  const longer = new ChunkedDecoder();
  assertEquals(take(longer, [bytesOf(`${coded}HTTP`)]), "hello");
  assertEquals([longer.ended, longer.excess], [true, 4]);
});

Deno.test("ChunkedDecoder takes long lines and trailers, up to its limits", () => {
  const body = new ChunkedDecoder();
  const trailers = `A: ${"x".repeat(4_000)}\r\n`.repeat(8);
  assertEquals(take(body, [bytesOf(`1;${"x".repeat(4_000)}\r\na\r\n0\r\n${trailers}\r\n`)]), "a");
  assertEquals(body.ended, true);
});

for (
  const [what, text] of [
    ["a size is missing", "\r\n"],
    ["a size is no hexadecimal number", "5g\r\nhello\r\n"],
    ["a size is negative", "-5\r\nhello\r\n"],
    ["a size has a prefix", "0x5\r\nhello\r\n"],
    ["a size would be beyond all bounds", "fffffffff\r\n"],
    ["a size holds a carriage return", "5\r5\r\n"],
    ["a chunk is longer than its size", "4\r\nhello\r\n"],
    ["a line does not end", `5;${"x".repeat(5000)}`],
    ["a chunk is followed by a line without end", `1\r\nx${" ".repeat(5000)}`],
    ["trailers do not end", `0\r\n${`A: ${"x".repeat(1000)}\r\n`.repeat(40)}`],
  ] as const
) {
  Deno.test(`ChunkedDecoder throws when ${what}`, () => {
    assertThrows(() => take(new ChunkedDecoder(), [bytesOf(text)]), SyntaxError, "chunked body");
    const letters = [...text].map(bytesOf);
    assertThrows(() => take(new ChunkedDecoder(), letters), SyntaxError, "chunked body");
  });
}

Deno.test("ChunkedDecoder throws SyntaxErrors only", () => {
  const piece = fc.constantFrom("0", "1", "a", "\r\n", "\n", "\r", ";", "xyz", "\0", "é");
  fc.assert(fc.property(fc.array(piece), (pieces) => {
    const body = new ChunkedDecoder();
    try {
      take(body, pieces.map(bytesOf));
    } catch (error) {
      assert(error instanceof SyntaxError);
    }
  }));
});
