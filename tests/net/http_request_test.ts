import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeRequest, type RequestMessage } from "../../lib/net/http_request.ts";

const url = new URL("http://panel.test:8080/a%20b?token=t#f");

function text(request: Partial<RequestMessage>): string {
  return new TextDecoder().decode(encodeRequest({ method: "GET", url, headers: [], ...request }));
}

Deno.test("encodeRequest() asks for the identity encoding, and has no length without a body", () => {
  const head = "GET /a%20b?token=t HTTP/1.1\r\nhost: panel.test:8080\r\n";
  const own = "accept-encoding: identity\r\nX-Own: a b\r\n\r\n";
  assertEquals(text({ headers: [["X-Own", "a b"]] }), head + own);
});

Deno.test("encodeRequest() counts the bytes of a body, not its characters", () => {
  assert(text({ method: "POST", body: "é😀" }).endsWith("content-length: 6\r\n\r\né😀"));
  assert(text({ method: "POST", body: Uint8Array.of(65, 66) }).endsWith(": 2\r\n\r\nAB"));
  assert(text({ method: "POST" }).endsWith("content-length: 0\r\n\r\n"));
});

Deno.test("encodeRequest() throws when a header is none, and tells no value", () => {
  const wrong = [["X", "a\r\nY: b"], ["X", "a\nb"], ["X", "a\0"], ["", "a"], ["X: y\r\nZ", "a"]];
  for (const [name = "", value] of wrong) {
    const headers = [[name, `${value}secret`]] as const;
    const { message } = assertThrows(() => text({ headers }), TypeError, "Cannot send header");
    assert(!message.includes("secret"), message);
  }
});
