import { assertThrows } from "@std/assert";
import { same } from "../cases.ts";
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

Deno.test("sumNetStatic() adds up entries since a moment, and tells of the last, in whatever order they are", () => {
  const shuffled = [300, 100, 200].map((timestamp) => ({ timestamp, tx: 1, rx: 2 }));
  const fileOf = (eth0: object[]) => JSON.stringify({ interfaces: { eth0 } });
  const nothing = { sentBytes: 0, receivedBytes: 0, untilMs: undefined };
  same(([text, sinceMs]) => sumNetStatic(text, { sinceMs, isCounted: counted }), [
    [[FILE, 200_000], { sentBytes: 110, receivedBytes: 220, untilMs: 300_000 }],
    [[fileOf(shuffled), 0], { sentBytes: 3, receivedBytes: 6, untilMs: 300_000 }],
    [[fileOf([{ timestamp: 0, tx: 0, rx: 0 }]), 0], { ...nothing, untilMs: 0 }],
    [[FILE, 300_001], nothing],
    [['{"interfaces": {}}', 0], nothing],
  ] as [[string, number], unknown][]);
});

Deno.test("sumNetStatic() throws for any other file", () => {
  const entry = { timestamp: 1, tx: 0, rx: 0 };
  const entries = [
    ...[1, { timestamp: 1, tx: 1 }, { ...entry, tx: 1e300 }, { ...entry, rx: 1e300 }],
    ...[-1, 1.5, "1"].map((tx) => ({ ...entry, tx })),
    ...[-1, 1.5].map((timestamp) => ({ ...entry, timestamp })),
  ];
  const texts = [
    ...["", "{}", "[]", '{"interfaces": null}', '{"interfaces": {"eth0": {}}}', FILE.slice(0, -9)],
    ...entries.map((entry) => JSON.stringify({ interfaces: { eth0: [entry] } })),
  ];
  for (const text of texts) {
    assertThrows(() => sumNetStatic(text, { sinceMs: 0, isCounted: counted }), SyntaxError);
  }
  onlySyntaxErrors((text) => sumNetStatic(text, { sinceMs: 0, isCounted: () => true }), [FILE]);
});
