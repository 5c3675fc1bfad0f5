import { assertEquals, assertThrows } from "@std/assert";
import { formatKnownNodes, parseKnownNodes, withNode } from "../../lib/panel/node_store.ts";
import { onlySyntaxErrors } from "../parse/only_syntax_errors.ts";

const HERE = { endpoint: "https://here.example", uuid: "u-1", token: "t1", registeredAtMs: 17 };
const THERE = { endpoint: "https://there.example/base", uuid: "u-2", token: "t2" };
const LONGEST = { ...THERE, uuid: "u".repeat(64), token: "!~".repeat(128) };

Deno.test("parseKnownNodes() reads what formatKnownNodes() writes", () => {
  for (const nodes of [[], [HERE], [THERE, HERE], [{ ...HERE, registeredAtMs: 0 }], [LONGEST]]) {
    assertEquals(parseKnownNodes(formatKnownNodes(nodes)), nodes);
  }
});

Deno.test("formatKnownNodes() writes JSON that people can read", () => {
  assertEquals(
    formatKnownNodes([THERE]),
    `{
  "version": 1,
  "nodes": [
    {
      "endpoint": "https://there.example/base",
      "uuid": "u-2",
      "token": "t2"
    }
  ]
}
`,
  );
});

const BAD: Record<string, string> = {
  "an official agent's file": '{"uuid":"u","token":"t"}',
  "another version": '{"version":2,"nodes":[]}',
  "a node without a panel": '{"version":1,"nodes":[{"uuid":"u","token":"t"}]}',
  "a node without a token": '{"version":1,"nodes":[{"endpoint":"https://a","uuid":"u"}]}',
  "a time before 1970": formatKnownNodes([{ ...HERE, registeredAtMs: -1 }]),
  "a part of a millisecond": formatKnownNodes([{ ...HERE, registeredAtMs: 1.5 }]),
  "a time that is a text": formatKnownNodes([HERE]).replace("17", '"17"'),
  "an endpoint that is no text": formatKnownNodes([HERE]).replace('"https://here.example"', "1"),
  "a node that is null": '{"version":1,"nodes":[null]}',
  "a text that is cut off": formatKnownNodes([HERE]).slice(0, -20),
  "an id of 65 characters": formatKnownNodes([{ ...HERE, uuid: "u".repeat(65) }]),
  "a token of 257 characters": formatKnownNodes([{ ...HERE, token: "t".repeat(257) }]),
  "a token with a space": formatKnownNodes([{ ...HERE, token: "t 1" }]),
  "a token with a line break": formatKnownNodes([{ ...HERE, token: "t1\n" }]),
  "nothing": "",
};

for (const [kind, text] of Object.entries(BAD)) {
  Deno.test(`parseKnownNodes() throws for ${kind}`, () => {
    assertThrows(() => parseKnownNodes(text), SyntaxError);
  });
}

Deno.test("parseKnownNodes() throws SyntaxErrors only", () => {
  onlySyntaxErrors(parseKnownNodes, [formatKnownNodes([HERE, THERE])]);
});

Deno.test("withNode() puts a node first, and replaces the former one of its panel", () => {
  const anew = { ...HERE, token: "t3" };
  assertEquals(withNode([THERE, HERE], anew), [anew, THERE]);
});

Deno.test("withNode() keeps the 16 panels used last", () => {
  const panel = (number: number) => ({ ...THERE, endpoint: `https://p${number}.example` });
  let nodes = withNode([], panel(0));
  for (let number = 1; number < 40; number++) nodes = withNode(nodes, panel(number));
  assertEquals(nodes.length, 16);
  assertEquals(nodes[0], panel(39));
});
