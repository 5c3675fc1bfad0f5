import { assertEquals } from "@std/assert";
import { formatMetrics, type MetricFamily } from "../../lib/exporter/openmetrics.ts";

const FAMILIES: readonly MetricFamily[] = [
  {
    name: "a_bytes",
    type: "gauge",
    help: 'One "thing" \\',
    samples: [
      { value: 1.5 },
      { labels: { path: '/"x"\n\\', none: undefined }, value: Infinity },
      { labels: { path: "" }, value: -Infinity },
    ],
  },
  { name: "b", type: "counter", help: "Two.", samples: [{ labels: { c: "d" }, value: 2 ** 53 }] },
  {
    name: "e_seconds",
    type: "histogram",
    help: "Three.",
    samples: [
      { suffix: "_bucket", labels: { le: "0.5" }, value: 1 },
      { suffix: "_bucket", labels: { le: "+Inf" }, value: 2 },
      { suffix: "_sum", value: 1.25 },
      { suffix: "_count", value: 2 },
    ],
  },
  { name: "f", type: "info", help: "Four.", samples: [{ labels: { version: "1" }, value: 1 }] },
  { name: "h", type: "untyped", help: "Five.", samples: [{ labels: { k: "\ud800" }, value: 3 }] },
  { name: "g", type: "gauge", help: "Nothing.", samples: [] },
];

Deno.test("formatMetrics() writes version 0.0.4", () => {
  const lines = formatMetrics(FAMILIES).split("\n");
  assertEquals(lines.filter((line) => line.startsWith("# ")), [
    String.raw`# HELP a_bytes One "thing" \\`,
    "# TYPE a_bytes gauge",
    "# HELP b_total Two.",
    "# TYPE b_total counter",
    "# HELP e_seconds Three.",
    "# TYPE e_seconds histogram",
    "# HELP f_info Four.",
    "# TYPE f_info gauge",
    "# HELP h Five.",
    "# TYPE h untyped",
  ]);
});
