import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseConnectResponse } from "../../lib/net/proxy.ts";

Deno.test("parseConnectResponse() reads status and reason", () => {
  const table: [string, number, string][] = [
    ["HTTP/1.1 200 Connection established", 200, "Connection established"],
    ["HTTP/1.0 407 ", 407, ""],
    ["HTTP/1.1 502", 502, ""],
    ["HTTP/1.1  403  No  way ", 403, "No  way"],
  ];
  for (const [head, status, reason] of table) {
    assertEquals(parseConnectResponse(head), { status, reason });
  }
});

Deno.test("parseConnectResponse() gives a printable reason of bounded length", () => {
  const head = `HTTP/1.1 500 \u001b[31m\u00fc\u0000${"x".repeat(500)}`;
  const { reason } = parseConnectResponse(head);
  assertEquals(reason, `[31m${"x".repeat(96)}`);
});

Deno.test("parseConnectResponse() throws when it is not HTTP", () => {
  const heads = ["", "SSH-2.0", "HTTP/2 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 2000"];
  heads.push("HTTP/1.1 000 x", "xHTTP/1.1 200", "x\nHTTP/1.1 200");
  for (const head of heads) {
    assertThrows(() => parseConnectResponse(head), SyntaxError, "it is not HTTP", head);
  }
  fc.assert(fc.property(fc.string(), (head) => {
    try {
      const { status, reason } = parseConnectResponse(`HTTP/1.1 ${head}`);
      assert(status >= 100 && status <= 999 && /^[\x20-\x7e]{0,100}$/.test(reason));
    } catch (error) {
      assert(error instanceof SyntaxError);
    }
  }));
});
