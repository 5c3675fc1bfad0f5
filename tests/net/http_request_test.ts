import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeRequestParts, type RequestMessage } from "../../lib/net/http_request.ts";

const url = new URL("http://panel.test:8080/a%20b?token=t#f");

function text(request: Partial<RequestMessage>): string {
  const parts = encodeRequestParts({ method: "GET", url, headers: [], ...request });
  return parts.map((part) => new TextDecoder().decode(part)).join("|");
}

Deno.test("encodeRequestParts() asks for the identity encoding, and has no length without a body", () => {
  const head = "GET /a%20b?token=t HTTP/1.1\r\nhost: panel.test:8080\r\n";
  const own = "accept-encoding: identity\r\nX-Own: a b\r\n\r\n";
  assertEquals(text({ headers: [["X-Own", "a b"]] }), head + own);
});

Deno.test("encodeRequestParts() counts the bytes of a body, not its characters", () => {
  assert(text({ method: "POST", body: "é😀" }).endsWith("content-length: 6\r\n\r\né😀"));
  const parts = [Uint8Array.of(65), Uint8Array.of(66), Uint8Array.of(67)];
  assert(text({ method: "POST", body: parts }).endsWith(": 3\r\n\r\nA|B|C"));
  assert(text({ method: "POST" }).endsWith("content-length: 0\r\n\r\n"));
});

Deno.test("encodeRequestParts() throws when a header is none, and tells no value", () => {
  const wrong = [["X", "a\r\nY: b"], ["X", "a\nb"], ["X", "a\0"], ["", "a"], ["X: y\r\nZ", "a"]];
  for (const [name = "", value] of wrong) {
    const headers = [[name, `${value}secret`]] as const;
    const { message } = assertThrows(() => text({ headers }), TypeError, "Cannot send header");
    assert(!message.includes("secret"), message);
  }
});
