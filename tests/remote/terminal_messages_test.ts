import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseTerminalMessage } from "../../lib/remote/terminal_messages.ts";

const table = [
  ['{"type":"resize","cols":120,"rows":40}', { kind: "resize", size: { rows: 40, columns: 120 } }],
  ['{"type":"resize","cols":1001,"rows":99999999999}', {
    kind: "resize",
    size: { rows: 1000, columns: 1000 },
  }],
  ['{"type":"input","input":"ls\\r"}', { kind: "keys", text: "ls\r" }],
  ['{"type":"heartbeat","timestamp":1}', undefined],
  // Unknown, or of no use.
  ['{"type":"resize","cols":0,"rows":40}', undefined],
  ['{"type":"resize","cols":-5,"rows":40}', undefined],
  ['{"type":"resize","cols":80.5,"rows":40}', undefined],
  ['{"type":"resize","cols":"80","rows":40}', undefined],
  ['{"type":"resize","cols":1e999,"rows":40}', undefined],
  ['{"type":"resize","rows":40}', undefined],
  ['{"type":"input","input":5}', undefined],
  ['{"type":"input"}', undefined],
  ['{"type":"exec","command":"id"}', undefined],
  ['{"type":["resize"],"cols":1,"rows":1}', undefined],
  ['{"__proto__":{"type":"close"}}', undefined],
  ["{}", undefined],
  [' {"a":1}\n', undefined],
  // No JSON, or no message.
  ["ls\r", { kind: "keys", text: "ls\r" }],
  ["5", { kind: "keys", text: "5" }],
  ['"', { kind: "keys", text: '"' }],
  ["{", { kind: "keys", text: "{" }],
  ["[1]", { kind: "keys", text: "[1]" }],
  ["null", { kind: "keys", text: "null" }],
  ["true", { kind: "keys", text: "true" }],
  ["{ echo; }", { kind: "keys", text: "{ echo; }" }],
  ["", { kind: "keys", text: "" }],
] as const;
for (const [text, message] of table) {
  Deno.test(`parseTerminalMessage() takes ${text} for ${JSON.stringify(message)}`, () => {
    assertEquals<unknown>(parseTerminalMessage(text), message);
  });
}

Deno.test("parseTerminalMessage() never throws, and no size leaves its bounds", () => {
  const message = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.record({ type: fc.constant("resize"), cols: fc.anything(), rows: fc.anything() })
      .map((value) => JSON.stringify(value, (_, it) => typeof it === "bigint" ? Number(it) : it)),
    fc.record({ type: fc.constant("resize"), cols: fc.double(), rows: fc.integer() })
      .map((value) => JSON.stringify(value)),
    fc.record({ type: fc.constant("resize"), cols: fc.nat(), rows: fc.nat() })
      .map((value) => JSON.stringify(value)),
  );
  let sizes = 0;
  fc.assert(fc.property(message, (text) => {
    const parsed = parseTerminalMessage(text);
    if (parsed?.kind !== "resize") return;
    sizes++;
    for (const edge of [parsed.size.rows, parsed.size.columns]) {
      assert(Number.isInteger(edge) && edge >= 1 && edge <= 1000);
    }
  }));
  assert(sizes > 0);
});

Deno.test("parseTerminalMessage() takes brackets without end for keys", () => {
  const text = '{"a":'.repeat(100_000);
  assertEquals(parseTerminalMessage(text), { kind: "keys", text });
});

Deno.test("parseTerminalMessage() reads that the user has closed the terminal", () => {
  assertEquals(parseTerminalMessage('{"type":"close"}'), { kind: "close" });
  assertEquals(parseTerminalMessage("close"), { kind: "keys", text: "close" });
});
