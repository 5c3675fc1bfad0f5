import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeRequest, type RequestMessage } from "../../lib/net/http_request.ts";

const url = new URL("http://panel.test:8080/a%20b?token=t#f");

function text(request: Partial<RequestMessage>): string {
  return new TextDecoder().decode(encodeRequest({ method: "GET", url, headers: [], ...request }));
}

Deno.test("encodeRequest() asks for the identity encoding, and has no length without a body", () => {
  assertEquals(
    text({ headers: [["X-Own", "a b"]] }),
    "GET /a%20b?token=t HTTP/1.1\r\nhost: panel.test:8080\r\naccept-encoding: identity\r\n" +
      "X-Own: a b\r\n\r\n",
  );
});

Deno.test("encodeRequest() counts the bytes of a body, not its characters", () => {
  assert(text({ method: "POST", body: "é😀" }).endsWith("content-length: 6\r\n\r\né😀"));
  assert(text({ method: "POST", body: Uint8Array.of(65, 66) }).endsWith(": 2\r\n\r\nAB"));
  assert(text({ method: "POST" }).endsWith("content-length: 0\r\n\r\n"));
});

const table = [
  ["breaks its line", ["X", "a\r\nY: b"]],
  ["has a line feed", ["X", "a\nb"]],
  ["has a NUL", ["X", "a\0"]],
  ["has no name", ["", "a"]],
  ["has a colon in its name", ["X: y\r\nZ", "a"]],
] as const;
for (const [what, header] of table) {
  Deno.test(`encodeRequest() throws when a header ${what}, and tells no value`, () => {
    const { message } = assertThrows(
      () => text({ headers: [[header[0], `${header[1]}secret`]] }),
      TypeError,
      "Cannot send header",
    );
    assert(!message.includes("secret"), message);
  });
}
