import { assert } from "@std/assert";
import fc from "fast-check";
import { same } from "../cases.ts";
import { parseTerminalMessage } from "../../lib/remote/pty.ts";

const keys = (text: string) => ({ kind: "keys", keys: new TextEncoder().encode(text) });
const size = (rows: number, columns: number) => ({ kind: "resize", size: { rows, columns } });

Deno.test("parseTerminalMessage() reads JSON objects, drops unknown ones, and takes all else for keys", () =>
  same(parseTerminalMessage, [
    ['{"type":"resize","cols":120,"rows":40}', size(40, 120)],
    ['{"type":"resize","cols":1001,"rows":99999999999}', size(1000, 1000)],
    ['{"type":"input","input":"ls\\r"}', keys("ls\r")],
    ['{"type":"close"}', { kind: "close" }],
    ...[
      '{"type":"heartbeat","timestamp":1}',
      '{"type":"resize","cols":0,"rows":40}',
      '{"type":"resize","cols":80.5,"rows":40}',
      '{"type":"resize","cols":"80","rows":40}',
      '{"type":"resize","cols":1e999,"rows":40}',
      '{"type":"resize","rows":40}',
      '{"type":"input","input":5}',
      '{"type":"exec","command":"id"}',
      '{"type":["resize"],"cols":1,"rows":1}',
      '{"__proto__":{"type":"close"}}',
      "{}",
      ' {"a":1}\n',
    ].map((text): [string, undefined] => [text, undefined]),
    ...["ls\r", "5", '"', "{", "[1]", "null", "{ echo; }", "", "close", '{"a":'.repeat(100_000)]
      .map((text): [string, unknown] => [text, keys(text)]),
  ]));

Deno.test("parseTerminalMessage() never throws, and no size leaves its bounds", () => {
  const edge = fc.oneof({ arbitrary: fc.nat(), weight: 5 }, fc.integer(), fc.jsonValue());
  const resize = fc.record({ type: fc.constant("resize"), cols: edge, rows: edge })
    .map((value) => JSON.stringify(value));
  let sizes = 0;
  fc.assert(fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json(), resize), (text) => {
    const parsed = parseTerminalMessage(text);
    if (parsed?.kind !== "resize") return;
    sizes++;
    for (const edge of [parsed.size.rows, parsed.size.columns]) {
      assert(Number.isInteger(edge) && edge >= 1 && edge <= 1000);
    }
  }));
  assert(sizes > 0);
});
