import { assertEquals } from "@std/assert";
import { offsetsOfRule } from "../../lib/parse/zone_rule.ts";

Deno.test("offsetsOfRule() gives the minutes to UTC in January and in July", () => {
  const table = [
    ["UTC0", 0, 0],
    ["CST-8", -480, -480],
    ["<+0545>-5:45", -345, -345],
    ["EST5EDT", 300, 240],
    ["CET-1CEST,M3.5.0,M10.5.0/3", -60, -120],
    ["AEST-10AEDT,M10.1.0,M4.1.0/3", -660, -600],
    ["<-04>4<-03>,M9.1.6/24,M4.1.6/24", 180, 240],
    ["IST-1GMT0,M10.5.0,M3.5.0/1", 0, -60],
    ["<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", -660, -630],
    ["EST5EDT,J60,J300", 300, 240],
    ["EST5EDT,300,60", 240, 300],
  ] as const;
  for (const [rule, january, july] of table) {
    assertEquals(offsetsOfRule(rule), [january, july], rule);
  }
});

Deno.test("offsetsOfRule() takes nothing else for a rule", () => {
  for (const text of ["", "UTC", "Europe/Paris", "A5", "EST5EDT,M3", "<+05", "EST5EDT,M3.2.0"]) {
    assertEquals(offsetsOfRule(text), undefined, text);
  }
});
