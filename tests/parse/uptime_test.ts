import { assertEquals } from "@std/assert";
import { parseLoadavg, parseUptime } from "../../lib/parse/uptime.ts";
import { onlySyntaxErrors, throwsFor } from "./only_syntax_errors.ts";

Deno.test("parseUptime() reads seconds with a fraction, and throws a SyntaxError for any other text, and nothing else", () => {
  assertEquals(parseUptime("1924.67 3543.66\n"), 1924.67);
  assertEquals(parseUptime("86400 0\n"), 86400);
  throwsFor(parseUptime, ["", "up", "-5.00 1.00", "1924.67x 1", ".5 1", "5\x01 1"]);
  onlySyntaxErrors(parseUptime, ["1924.67 3543.66\n"]);
});

Deno.test("parseLoadavg() reads the three averages, and throws a SyntaxError for any other text, and nothing else", () => {
  const [oneMinute, fiveMinutes, fifteenMinutes] = [2.72, 1.41, 0.57];
  const text = "2.72 1.41 0.57 4/109 10073\n";
  assertEquals(parseLoadavg(text), { oneMinute, fiveMinutes, fifteenMinutes });
  throwsFor(parseLoadavg, [
    ...["", "0.07", "0.07 0.03", "0.07 0.03 x 2/95 1", "-1.00 0.03 0.07", "0.1 0.2 0.3x"],
    ...["0.1\t0.2 0.3", "0.1 0.2 0.3\x01"],
  ]);
  onlySyntaxErrors(parseLoadavg, [text]);
});
