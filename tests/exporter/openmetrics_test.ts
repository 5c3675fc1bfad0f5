import { assertEquals } from "@std/assert";
import {
  acceptedFormat,
  CONTENT_TYPES,
  formatMetrics,
  type MetricFamily,
} from "../../lib/exporter/openmetrics.ts";
import { complaints, openMetricsSamples, withPromtool } from "./promtool.ts";

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

Deno.test("formatMetrics() writes OpenMetrics", () => {
  assertEquals(
    formatMetrics(FAMILIES, "openmetrics"),
    String.raw`# HELP a_bytes One \"thing\" \\
# TYPE a_bytes gauge
a_bytes 1.5
a_bytes{path="/\"x\"\n\\"} +Inf
a_bytes{path=""} -Inf
# HELP b Two.
# TYPE b counter
b_total{c="d"} 9007199254740992
# HELP e_seconds Three.
# TYPE e_seconds histogram
e_seconds_bucket{le="0.5"} 1
e_seconds_bucket{le="+Inf"} 2
e_seconds_sum 1.25
e_seconds_count 2
# HELP f Four.
# TYPE f info
f_info{version="1"} 1
# HELP h Five.
# TYPE h unknown
h{k="�"} 3
# EOF
`,
  );
});

Deno.test("formatMetrics() writes version 0.0.4", () => {
  const lines = formatMetrics(FAMILIES, "text").split("\n");
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

Deno.test("acceptedFormat() is OpenMetrics only where the scraper names it", () => {
  const accept = "application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5";
  assertEquals(acceptedFormat(`Accept: ${accept}`), "openmetrics");
  assertEquals(acceptedFormat("Accept: text/plain, */*"), "text");
  assertEquals(acceptedFormat(""), "text");
});

withPromtool.test("formatMetrics() is read by Prometheus", async () => {
  assertEquals(await complaints(formatMetrics(FAMILIES, "text")), []);
  assertEquals(await openMetricsSamples(formatMetrics(FAMILIES, "openmetrics")), 9);
});

Deno.test("CONTENT_TYPES are those of the formats", () => {
  assertEquals(CONTENT_TYPES, {
    openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
    text: "text/plain; version=0.0.4; charset=utf-8",
  });
});
