import { assertEquals, assertThrows } from "@std/assert";
import { parseNode } from "../../lib/panel/node_store.ts";
import { parseRegistration } from "../../lib/panel/registration_client.ts";
import { parseJson } from "../../lib/parse/json.ts";
import { onlySyntaxErrors } from "../parse/only_syntax_errors.ts";

const NODE = { uuid: "4092ad74-6d1e-44a6-bcf7-f3cc0210770f", token: "-mgxnkrs0wLO8FcU9UYXSUs" };

function answer(data: unknown, status = "success"): string {
  return JSON.stringify({ status, message: "", data });
}

Deno.test("parseRegistration() reads uuid and token, and nothing else", () => {
  assertEquals(parseRegistration(answer({ ...NODE, name: "x" })), NODE);
});

Deno.test("parseNode() reads the file of an official agent", () => {
  assertEquals(parseNode(parseJson(JSON.stringify(NODE, null, 2))), NODE);
});

const BAD: Record<string, unknown> = {
  "no data": null,
  "no token": { uuid: NODE.uuid },
  "an empty token": { ...NODE, token: "" },
  "a token with a blank": { ...NODE, token: "a b" },
  "a token with a line feed": { ...NODE, token: "a\r\nX-Header: 1" },
  "a token that never ends": { ...NODE, token: "x".repeat(257) },
  "a token that is a number": { ...NODE, token: 7 },
  "a uuid that is none": { ...NODE, uuid: "../../etc" },
  "a uuid that never ends": { ...NODE, uuid: "x".repeat(65) },
  "no uuid": { token: NODE.token },
};

for (const [kind, data] of Object.entries(BAD)) {
  Deno.test(`parseRegistration() and parseNode() throw for ${kind}, and quote nothing`, () => {
    for (const parse of [() => parseRegistration(answer(data)), () => parseNode(data)]) {
      const { message } = assertThrows(parse, SyntaxError);
      assertEquals(message, "Cannot read the node: there is no uuid with a token");
    }
  });
}

Deno.test("parseRegistration() throws when the status is not success", () => {
  assertThrows(() => parseRegistration(answer(NODE, "error")), SyntaxError);
  assertThrows(() => parseRegistration(JSON.stringify(NODE)), SyntaxError);
  assertThrows(() => parseRegistration("[]"), SyntaxError);
});

Deno.test("parseRegistration() and parseNode() throw SyntaxErrors only", () => {
  onlySyntaxErrors(parseRegistration, [answer(NODE)]);
  onlySyntaxErrors((text) => parseNode(parseJson(text)), [JSON.stringify(NODE)]);
});
