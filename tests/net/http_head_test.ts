import { assert, assertEquals, assertThrows } from "@std/assert";
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
  const bare = { status: 502, version: "1.0" as const, headers: new Map<string, string>() };
  assertEquals(parseResponseHead(["HTTP/1.0 502"]), bare);
  assertEquals(parseResponseHead(["HTTP/1.1 204 "]).status, 204);
});

Deno.test("parseResponseHead() accepts the same length twice, but not two lengths", () => {
  const once = ["HTTP/1.1 200 OK", "Content-Length: 5"];
  const same = parseResponseHead([...once, "content-length: 5"]);
  assertEquals(same.headers.get("content-length"), "5");
  const other = [...once, "content-length: 6"];
  assertThrows(() => parseResponseHead(other), SyntaxError, "two lengths");
});

Deno.test("parseResponseHead() throws when the head is malformed, and quotes only the start of a line", () => {
  const texts = [
    ...["", "SSH-2.0-OpenSSH_9.6", "HTTP/2 200"],
    ...["HTTP/1.1 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 Odd"],
    // A header that goes on in the next line, has no colon or name, or controls.
    ...["A: b\n c", "A", ": b", "Content-Length : 5", "A: b\0c", "A: b\rContent-Length: 5"]
      .map((header) => `HTTP/1.1 200 OK\n${header}`),
  ];
  const refusal = (text: string) =>
    assertThrows(() => parseResponseHead(linesOf(text)), SyntaxError, "Cannot parse an HTTP")
      .message;
  for (const text of texts) refusal(text);
  const quoted = refusal(`<html>${"x".repeat(1000)}`);
  assert(quoted.includes('"<html>xxx') && quoted.length < 120, quoted);
  const secret = refusal("HTTP/1.1 302 Found\nLocation: /?token=secret\x01");
  assert(!secret.includes("secret"), secret);
});

Deno.test("parseResponseHead() throws SyntaxErrors only", () => {
  onlySyntaxErrors((text) => parseResponseHead(linesOf(text)).status, [NGINX.join("\n")]);
});
