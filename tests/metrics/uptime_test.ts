import { assertEquals, assertThrows } from "@std/assert";
import { Uptime } from "../../lib/metrics/uptime.ts";
import { paperFilm, paperSource } from "./fake_host.ts";

Deno.test("Uptime.collect() reads the file anew at each call", () => {
  const uptime = new Uptime(paperFilm("1924.67 3543.66\n", "1929.70 3553.00\n"));
  assertEquals([uptime.collect(), uptime.collect()], [1924.67, 1929.7]);
});

Deno.test("Uptime.collect() gives nothing when there is no such file", () => {
  assertEquals(new Uptime(paperSource(() => undefined)).collect(), undefined);
});

Deno.test("Uptime.collect() throws when the file is bent", () => {
  assertThrows(() => new Uptime(paperSource(() => "")).collect(), SyntaxError);
});
