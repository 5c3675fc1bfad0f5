import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseHeaders, withHeaders } from "../../lib/config/parsers.ts";

Deno.test("parseHeaders() refuses what is no header, and never quotes a value", () => {
  const wrong = [
    "s3cret",
    ": s3cret",
    "two words: s3cret",
    "(x): s3cret",
    "Größe: s3cret",
    "X-Ok: 1\nX: s3cret\x00",
    "X: s3cret\tcut",
    "X: s3cret\rY: 1",
    "X: s3cret ü",
  ];
  for (const text of wrong) {
    const { message } = assertThrows(() => parseHeaders(text), RangeError);
    assertEquals(message.includes("s3cret"), false, message);
  }
});

Deno.test("parseHeaders() refuses the headers that the agent sets itself", () => {
  const own = "Host content-length CONNECTION Upgrade Transfer-Encoding Sec-WebSocket-Key " +
    "sec-websocket-protocol";
  for (const name of own.split(" ")) {
    const { message } = assertThrows(() => parseHeaders(`${name}: 1`), RangeError);
    assertStringIncludes(message, name);
  }
  assertEquals(parseHeaders("X-Host: 1"), [["X-Host", "1"]]);
});

Deno.test("parseHeaders() gives only what a request can carry, whatever it is given", () => {
  const lines = fc.array(
    fc.oneof(fc.string(), fc.tuple(fc.string(), fc.string()).map(([a, b]) => `${a}: ${b}`)),
  );
  fc.assert(fc.property(lines, (texts) => {
    let headers: ReturnType<typeof parseHeaders>;
    try {
      headers = parseHeaders(texts.join("\n"));
    } catch (error) {
      return error instanceof RangeError;
    }
    for (const [name, value] of headers) new Headers([[name, value]]);
    return true;
  }));
});

Deno.test("withHeaders() leaves out empty values", () => {
  assertEquals(withHeaders([], [["A", ""], ["B", "1"]]), [["B", "1"]]);
});
