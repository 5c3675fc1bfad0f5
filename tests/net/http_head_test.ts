import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseResponseHead } from "../../lib/net/http_head.ts";

const NGINX = `HTTP/1.1 200 OK
Server: nginx/1.18.0
Date: Tue, 24 Nov 2026 19:35:34 GMT
Content-Length: 20
content-length: 20
Vary: Origin
X-Empty:
Vary: Accept-Encoding`;

const parse = (head: string) => parseResponseHead(head.split("\n"));

Deno.test("parseResponseHead() joins repeated headers, without regard to case, and needs no reason and no headers", () => {
  const { status, version, headers } = parse(NGINX);
  assertEquals([status, version, headers.get("server")], [200, "1.1", "nginx/1.18.0"]);
  const joined = ["content-length", "x-empty", "vary"].map((name) => headers.get(name));
  assertEquals([...joined, headers.size], ["20", "", "Origin, Accept-Encoding", 5]);
  assertEquals(parse("HTTP/1.0 502"), { status: 502, version: "1.0", headers: new Map() });
  assertEquals(parse("HTTP/1.1 204 ").status, 204);
});

Deno.test("parseResponseHead() throws when the head is malformed, and quotes only the start of a line", () => {
  const texts = [
    ...["", "SSH-2.0-OpenSSH_9.6", "HTTP/2 200"],
    ...["HTTP/1.1 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 099 Odd"],
    // A header that goes on in the next line, has no colon or name, or controls.
    ...["A: b\n c", "A", ": b", "Content-Length : 5", "A: b\0c", "A: b\rContent-Length: 5"]
      .map((header) => `HTTP/1.1 200 OK\n${header}`),
    "HTTP/1.1 200 OK\nContent-Length: 5\ncontent-length: 6",
  ];
  const refusal = (text: string) =>
    assertThrows(() => parse(text), SyntaxError, "Cannot parse an HTTP").message;
  for (const text of texts) refusal(text);
  const quoted = refusal(`<html>${"x".repeat(1000)}`);
  assert(quoted.includes('"<html>xxx') && quoted.length < 120, quoted);
  const secret = refusal("HTTP/1.1 302 Found\nLocation: /?token=secret\x01");
  assert(!secret.includes("secret"), secret);
});
