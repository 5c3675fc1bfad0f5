import { assertEquals, assertThrows } from "@std/assert";
import { parseDiskstats } from "../../lib/parse/diskstats.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const captured = Deno.readTextFileSync("tests/fixtures/debian-vm/proc/diskstats");

Deno.test("parseDiskstats() reads captured lines of 17 counters, and reads the 11 counters of old kernels", () => {
  const disks = parseDiskstats(captured);
  assertEquals(disks.map(({ device }) => device).slice(-2), ["vda", "zram0"]);
  const vda = disks.find(({ device }) => device === "vda");
  assertEquals([vda?.major, vda?.minor, vda?.counters.length], [254, 0, 17]);
  assertEquals(parseDiskstats("   8       1 sda1 1 2 3 4 5 6 7 8 9 10 11\n"), [
    { device: "sda1", major: 8, minor: 1, counters: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] },
  ]);
});

Deno.test("parseDiskstats() gives malformed lines to their handler, and goes on", () => {
  const good = "8 0 sda 1 2 3 4 5 6 7 8 9 10 11";
  const odd = ["8 0 sda", "8 x sdb 1 2 3 4 5 6 7 8 9 10 11", "8 0 sdc 1 2 3 4 5 6 7 8 9 10 -1"];
  const errors: string[] = [];
  const text = `${odd.join("\n")}\n${good}\n`;
  assertEquals(parseDiskstats(text, ({ message }) => errors.push(message)).length, 1);
  assertEquals(errors, odd.map((line) => `Cannot parse diskstats: "${line}"`));
  assertThrows(() => parseDiskstats(text), SyntaxError, 'Cannot parse diskstats: "8 0 sda"');
});

Deno.test("parseDiskstats() throws nothing but SyntaxError", () => {
  onlySyntaxErrors(parseDiskstats, [captured]);
});
