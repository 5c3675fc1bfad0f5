import { assertEquals, assertThrows } from "@std/assert";
import { parseLoadavg } from "../../lib/parse/loadavg.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

Deno.test("parseLoadavg() reads the three averages", () => {
  assertEquals(parseLoadavg("2.72 1.41 0.57 4/109 10073\n"), {
    oneMinute: 2.72,
    fiveMinutes: 1.41,
    fifteenMinutes: 0.57,
  });
});

const lines = [
  "",
  "0.07",
  "0.07 0.03",
  "0.07 0.03 x 2/95 1",
  "-1.00 0.03 0.07",
  "0.1 0.2 0.3x",
  "0.1\t0.2 0.3",
  "0.1 0.2 0.3\x01",
];
Deno.test("parseLoadavg() throws a SyntaxError for any other text, and nothing else", () => {
  for (const line of lines) assertThrows(() => parseLoadavg(`${line}\n`), SyntaxError, `"${line}"`);
  onlySyntaxErrors(parseLoadavg, ["2.72 1.41 0.57 4/109 10073\n"]);
});
