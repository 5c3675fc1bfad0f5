import { assertEquals } from "@std/assert";
import { isBetween, readStatistics } from "../../lib/metrics/interface_statistics.ts";
import { fakeSource } from "./fake_host.ts";

const nic = (receivedBytes: number, sentBytes: number, name = "eth0") => {
  return { name, receivedBytes, sentBytes };
};

Deno.test("isBetween() is true of counters that neither reading around them rules out", () => {
  const before = [nic(10, 20)];
  const after = [nic(12, 22)];
  assertEquals(
    [nic(10, 20), nic(12, 22), nic(11, 21)].map((now) => isBetween(before, [now], after)),
    [true, true, true],
  );
  const others = [nic(9, 21), nic(13, 21), nic(11, 19), nic(11, 23), nic(11, 21, "eth1")];
  assertEquals(others.filter((now) => isBetween(before, [now], after)), []);
  assertEquals(isBetween(undefined, before, after), false);
  assertEquals(isBetween(before, before, undefined), false);
  assertEquals(isBetween(before, [], after), false);
  assertEquals(isBetween([nic(1, 1, "eth1")], before, after), false);
  assertEquals(isBetween(before, before, [nic(99, 99, "eth1")]), false);
  assertEquals(isBetween([], [], []), true);
});

Deno.test("readStatistics() gives both counters of each, or nothing", () => {
  const open = (received: string | undefined, sent: string | undefined) => ({
    name: "eth0",
    statistics: { received: fakeSource(() => received), sent: fakeSource(() => sent) },
  });
  assertEquals(readStatistics([open("7\n", "8\n")]), [nic(7, 8)]);
  for (const text of ["", "-1\n", "x\n", "7\n\n", "1".repeat(21), undefined]) {
    assertEquals(readStatistics([open("7\n", text)]), undefined);
    assertEquals(readStatistics([open(text, "8\n")]), undefined);
  }
  assertEquals(readStatistics([{ name: "eth1" }]), undefined);
});
