import { assertEquals, assertThrows } from "@std/assert";
import { parseSoftnetStat } from "../../lib/parse/softnet_stat.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const LINE = "0040265a 00000001 00000007 00000000 00000000 00000000 00000000 00000000 00000000 " +
  "00000002 00000003 00000000 00000005 00000000 00000000\n";

Deno.test("parseSoftnetStat() reads hexadecimal columns, and the core where it is listed", () => {
  assertEquals(parseSoftnetStat(LINE), [{
    ...{ cpu: 5, processed: 0x40265a, dropped: 1, timesSqueezed: 7 },
    ...{ receivedRps: 2, flowLimitCount: 3 },
  }]);
  const old = "00000001 00000002 00000003\n";
  assertEquals(
    parseSoftnetStat(old + old).map(({ cpu, flowLimitCount }) => [cpu, flowLimitCount]),
    [[0, undefined], [1, undefined]],
  );
});

Deno.test("parseSoftnetStat() gives malformed lines to their handler, and goes on", () => {
  const text = `1 2 3\n00000001 00000002\n${LINE}`;
  const errors: string[] = [];
  assertEquals(parseSoftnetStat(text, ({ message }) => errors.push(message)).length, 1);
  assertEquals(errors.length, 2);
  assertThrows(() => parseSoftnetStat(text), SyntaxError, 'Cannot parse softnet_stat: "1 2 3"');
  onlySyntaxErrors(parseSoftnetStat, [LINE]);
});
