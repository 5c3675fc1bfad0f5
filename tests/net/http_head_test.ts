import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseResponseHead } from "../../lib/net/http_head.ts";
import { onlySyntaxErrors } from "../parse/only_syntax_errors.ts";

const NGINX = linesOf(`HTTP/1.1 200 OK
Server: nginx/1.18.0
Date: Tue, 24 Nov 2026 19:35:34 GMT
Content-Type: application/json; charset=utf-8
Content-Length: 20
Connection: keep-alive
Vary: Origin
X-Empty:
Vary: Accept-Encoding`);

function linesOf(head: string): readonly string[] {
  return head.split("\n");
}

Deno.test("parseResponseHead() joins repeated headers, without regard to case", () => {
  const { status, version, headers } = parseResponseHead(NGINX);
  assertEquals([status, version], [200, "1.1"]);
  assertEquals(headers.get("content-length"), "20");
  assertEquals(headers.get("x-empty"), "");
  assertEquals(headers.get("vary"), "Origin, Accept-Encoding");
  assertEquals(headers.size, 7);
});

Deno.test("parseResponseHead() accepts a head without a reason and without headers", () => {
  assertEquals(parseResponseHead(["HTTP/1.0 502"]), {
    status: 502,
    version: "1.0",
    headers: new Map(),
  });
  assertEquals(parseResponseHead(["HTTP/1.1 204 "]).status, 204);
});

Deno.test("parseResponseHead() accepts the same length twice, but not two lengths", () => {
  const once = ["HTTP/1.1 200 OK", "Content-Length: 5"];
  const same = parseResponseHead([...once, "content-length: 5"]);
  assertEquals(same.headers.get("content-length"), "5");
  const other = [...once, "content-length: 6"];
  assertThrows(() => parseResponseHead(other), SyntaxError, "two lengths");
});

const table = [
  ["is empty", ""],
  ["is of another protocol", "SSH-2.0-OpenSSH_9.6"],
  ["is of HTTP/2", "HTTP/2 200"],
  ["has no status", "HTTP/1.1 OK"],
  ["has a status of four digits", "HTTP/1.1 2000 OK"],
  ["has a status below 100", "HTTP/1.1 099 Odd"],
  ["goes on in the next line", "HTTP/1.1 200 OK\nA: b\n c"],
  ["has a header without a colon", "HTTP/1.1 200 OK\nA"],
  ["has a header without a name", "HTTP/1.1 200 OK\n: b"],
  ["has a blank before a colon", "HTTP/1.1 200 OK\nContent-Length : 5"],
  ["has a NUL in a value", "HTTP/1.1 200 OK\nA: b\0c"],
  ["has a carriage return in a value", "HTTP/1.1 200 OK\nA: b\rContent-Length: 5"],
] as const;
for (const [what, text] of table) {
  Deno.test(`parseResponseHead() throws when the head ${what}`, () => {
    assertThrows(() => parseResponseHead(linesOf(text)), SyntaxError, "Cannot parse an HTTP");
  });
}

Deno.test("parseResponseHead() quotes only the start of a malformed line", () => {
  const { message } = assertThrows(
    () => parseResponseHead([`<html>${"x".repeat(1000)}`]),
    SyntaxError,
  );
  assertStringIncludes(message, '"<html>xxx');
  assert(message.length < 120, message);
  const header = assertThrows(
    () => parseResponseHead(["HTTP/1.1 302 Found", "Location: /?token=secret\x01"]),
    SyntaxError,
  );
  assert(!header.message.includes("secret"), header.message);
});

Deno.test("parseResponseHead() throws SyntaxErrors only", () => {
  onlySyntaxErrors((text) => parseResponseHead(linesOf(text)).status, [NGINX.join("\n")]);
});
