import { assertEquals, assertThrows } from "@std/assert";
import { sumNetStatic } from "../../lib/traffic/net_static.ts";
import { onlySyntaxErrors } from "../parse/only_syntax_errors.ts";

const FILE = JSON.stringify({
  interfaces: {
    eth0: [
      { timestamp: 100, tx: 1, rx: 2 },
      { timestamp: 200, tx: 10, rx: 20 },
      { timestamp: 300, tx: 100, rx: 200 },
    ],
    docker0: [{ timestamp: 400, tx: 9999, rx: 9999 }],
  },
  config: { data_preserve_day: 31 },
});
const counted = (name: string) => name === "eth0";

Deno.test("sumNetStatic() adds up entries since a moment", () => {
  const sum = sumNetStatic(FILE, { sinceMs: 200_000, isCounted: counted });
  assertEquals(sum, { sentBytes: 110, receivedBytes: 220, untilMs: 300_000 });
});

Deno.test("sumNetStatic() tells of the last entry, in whatever order they are", () => {
  const entries = [300, 100, 200].map((timestamp) => ({ timestamp, tx: 1, rx: 2 }));
  const text = JSON.stringify({ interfaces: { eth0: entries } });
  const sum = sumNetStatic(text, { sinceMs: 0, isCounted: counted });
  assertEquals(sum, { sentBytes: 3, receivedBytes: 6, untilMs: 300_000 });
});

Deno.test("sumNetStatic() takes entries in which nothing has passed, and returns 0 without matching entries", () => {
  const text = '{"interfaces": {"eth0": [{"timestamp": 0, "tx": 0, "rx": 0}]}}';
  const sum = sumNetStatic(text, { sinceMs: 0, isCounted: counted });
  assertEquals(sum, { sentBytes: 0, receivedBytes: 0, untilMs: 0 });
  const nothing = { sentBytes: 0, receivedBytes: 0, untilMs: undefined };
  assertEquals(sumNetStatic(FILE, { sinceMs: 300_001, isCounted: counted }), nothing);
  assertEquals(sumNetStatic('{"interfaces": {}}', { sinceMs: 0, isCounted: counted }), nothing);
});

Deno.test("sumNetStatic() throws for any other file", () => {
  const texts = [
    "",
    "{}",
    "[]",
    '{"interfaces": null}',
    '{"interfaces": {"eth0": {}}}',
    '{"interfaces": {"eth0": [1]}}',
    '{"interfaces": {"eth0": [{"timestamp": 1, "tx": -1, "rx": 0}]}}',
    '{"interfaces": {"eth0": [{"timestamp": 1, "tx": 1}]}}',
    '{"interfaces": {"eth0": [{"timestamp": 1, "tx": 1e300, "rx": 0}]}}',
    '{"interfaces": {"eth0": [{"timestamp": 1, "tx": 0, "rx": 1e300}]}}',
    '{"interfaces": {"eth0": [{"timestamp": 1, "tx": 1.5, "rx": 0}]}}',
    '{"interfaces": {"eth0": [{"timestamp": -1, "tx": 0, "rx": 0}]}}',
    '{"interfaces": {"eth0": [{"timestamp": 1.5, "tx": 0, "rx": 0}]}}',
    '{"interfaces": {"eth0": [{"timestamp": 1, "tx": "1", "rx": 0}]}}',
    FILE.slice(0, -9),
  ];
  for (const text of texts) {
    assertThrows(() => sumNetStatic(text, { sinceMs: 0, isCounted: counted }), SyntaxError);
  }
  onlySyntaxErrors((text) => sumNetStatic(text, { sinceMs: 0, isCounted: () => true }), [FILE]);
});
