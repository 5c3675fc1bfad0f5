import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { findHeadEnd, parseResponseHead } from "../../lib/net/http_head.ts";
import { onlySyntaxErrors } from "../parse/only_syntax_errors.ts";

const NGINX = `HTTP/1.1 200 OK
Server: nginx/1.18.0
Date: Tue, 24 Nov 2026 19:35:34 GMT
Content-Type: application/json; charset=utf-8
Content-Length: 20
Connection: keep-alive
Vary: Origin
X-Empty:
Vary: Accept-Encoding

`.replaceAll("\n", "\r\n");

Deno.test("parseResponseHead() joins repeated headers, without regard to case", () => {
  const { status, version, headers } = parseResponseHead(NGINX);
  assertEquals([status, version], [200, "1.1"]);
  assertEquals(headers.get("content-length"), "20");
  assertEquals(headers.get("x-empty"), "");
  assertEquals(headers.get("vary"), "Origin, Accept-Encoding");
  assertEquals(headers.size, 7);
});

Deno.test("parseResponseHead() accepts a head without carriage returns, reason and last line", () => {
  const same = parseResponseHead(NGINX.replaceAll("\r", ""));
  assertEquals(same, parseResponseHead(NGINX));
  assertEquals(parseResponseHead("HTTP/1.0 502"), {
    status: 502,
    version: "1.0",
    headers: new Map(),
  });
  assertEquals(parseResponseHead("HTTP/1.1 204 \r\n\r\n").status, 204);
});

Deno.test("parseResponseHead() accepts the same length twice, but not two lengths", () => {
  const once = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: ";
  assertEquals(parseResponseHead(`${once}5`).headers.get("content-length"), "5");
  assertThrows(() => parseResponseHead(`${once}6`), SyntaxError, "two lengths");
});

for (
  const [what, text] of [
    ["is empty", ""],
    ["is of another protocol", "SSH-2.0-OpenSSH_9.6\r\n"],
    ["is of HTTP/2", "HTTP/2 200\r\n"],
    ["has no status", "HTTP/1.1 OK\r\n"],
    ["has a status of four digits", "HTTP/1.1 2000 OK\r\n"],
    ["has a status below 100", "HTTP/1.1 099 Odd\r\n"],
    ["goes on in the next line", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n"],
    ["has a header without a colon", "HTTP/1.1 200 OK\r\nA\r\n"],
    ["has a header without a name", "HTTP/1.1 200 OK\r\n: b\r\n"],
    ["has a blank before a colon", "HTTP/1.1 200 OK\r\nContent-Length : 5\r\n"],
    ["has a NUL in a value", "HTTP/1.1 200 OK\r\nA: b\0c\r\n"],
    ["has a carriage return in a value", "HTTP/1.1 200 OK\r\nA: b\rContent-Length: 5\r\n"],
  ] as const
) {
  Deno.test(`parseResponseHead() throws when the head ${what}`, () => {
    assertThrows(() => parseResponseHead(text), SyntaxError, "Cannot parse an HTTP");
  });
}

Deno.test("parseResponseHead() quotes only the start of a malformed line", () => {
  const { message } = assertThrows(
    () => parseResponseHead(`<html>${"x".repeat(1000)}`),
    SyntaxError,
  );
  assertStringIncludes(message, '"<html>xxx');
  assert(message.length < 120, message);
  const header = assertThrows(
    () => parseResponseHead("HTTP/1.1 302 Found\r\nLocation: /?token=secret\x01"),
    SyntaxError,
  );
  assert(!header.message.includes("secret"), header.message);
});

Deno.test("parseResponseHead() is not slowed down by many blanks", () => {
  const blanks = " ".repeat(32_000);
  const head = parseResponseHead(`HTTP/1.1 200 OK\r\nA: ${blanks}x${blanks}\r\n`);
  assertEquals(head.headers.get("a"), "x");
});

Deno.test("parseResponseHead() throws SyntaxErrors only", () => {
  onlySyntaxErrors((text) => parseResponseHead(text).status, [NGINX]);
});

Deno.test("findHeadEnd() finds the empty line wherever the search begins", () => {
  const line = fc.stringMatching(/^[a-z]{1,9}$/);
  const ending = fc.constantFrom("\n", "\r\n");
  fc.assert(fc.property(fc.array(fc.tuple(line, ending)), ending, ending, (lines, last, empty) => {
    const head = `first${last}${lines.flat().join("")}${empty}`;
    const bytes = new TextEncoder().encode(`${head}body\n\n`);
    const end = head.length;
    assertEquals(findHeadEnd(bytes, 0), end);
    // As the bytes come one by one, each time from two before the last.
    for (let come = 0; come < end; come++) {
      assertEquals(findHeadEnd(bytes.subarray(0, come), Math.max(0, come - 3)), -1);
    }
    assertEquals(findHeadEnd(bytes.subarray(0, end), Math.max(0, end - 3)), end);
  }));
});
