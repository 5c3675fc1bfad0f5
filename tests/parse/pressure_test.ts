import { assertEquals, assertThrows } from "@std/assert";
import { parsePressure } from "../../lib/parse/pressure.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const SOME = "some avg10=59.81 avg60=63.33 avg300=38.81 total=7492281727\n";
const FULL = "full avg10=0.00 avg60=0.00 avg300=0.18 total=39593162\n";

Deno.test("parsePressure() reads both lines, or the one that there is, and throws when there is no total", () => {
  assertEquals(parsePressure(SOME + FULL), { someUs: 7492281727, fullUs: 39593162 });
  assertEquals(parsePressure(SOME), { someUs: 7492281727, fullUs: undefined });
  assertEquals(parsePressure(FULL), { someUs: undefined, fullUs: 39593162 });
  for (const text of ["", "some\n", "some avg10=1 total=-1\n", "none avg10=0 total=1\n"]) {
    assertThrows(() => parsePressure(text), SyntaxError, "Cannot parse pressure: no total in ");
  }
  onlySyntaxErrors(parsePressure, [SOME + FULL]);
});
