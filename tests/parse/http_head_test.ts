import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseHttpHead } from "../../lib/parse/http_head.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const REDIRECT = "HTTP/1.1 302 Found\r\nServer: x\r\nlocation:  /there?a=b \r\nX-Location: no";

Deno.test("parseHttpHead() reads status and location", () => {
  assertEquals(parseHttpHead("HTTP/1.1 200 OK\r\nServer: x"), { status: 200 });
  assertEquals(parseHttpHead("HTTP/1.0 404"), { status: 404 });
  assertEquals(parseHttpHead("HTTP/1.1 204 \n"), { status: 204 });
  assertEquals(parseHttpHead(REDIRECT), { status: 302, location: "/there?a=b" });
  assertEquals(parseHttpHead("HTTP/1.1 301 X\r\nLocation:\r\n"), { status: 301 });
});

Deno.test("parseHttpHead() throws when the first line is no status line", () => {
  for (
    const text of ["", "SSH-2.0-OpenSSH_9.2", "HTTP/2 200", "HTTP/1.1 2000 OK", "HTTP/1.1 099 X"]
  ) {
    assertThrows(() => parseHttpHead(text), SyntaxError, JSON.stringify(text));
  }
});

Deno.test("parseHttpHead() gives back any status and location", () => {
  const status = fc.integer({ min: 100, max: 599 });
  fc.assert(fc.property(status, fc.webUrl(), (status, location) => {
    const text = `HTTP/1.1 ${status} Some words\r\nDate: now\r\nLocation: ${location}\r\nA: b`;
    assertEquals(parseHttpHead(text), { status, location });
  }));
});

Deno.test("parseHttpHead() throws nothing but SyntaxError for any text", () => {
  onlySyntaxErrors(parseHttpHead, [REDIRECT]);
});
