import { assertEquals, assertThrows } from "@std/assert";
import { ProcessCollector, type ProcessHost } from "../../lib/metrics/processes.ts";

const HOSTS = "pid:[4026531836]";
const FOLDERS = ["bus", "fs", "sys"];

/** A `/proc` that lists 70 processes from the first one on, and has so many links at each reading. */
function proc(links: readonly number[], { namespace = "", listed = 70, first = 1 } = {}) {
  let next = 0;
  const host: ProcessHost = {
    roots: { proc: "/proc", sys: "/sys", root: "/" },
    listFolders: () => [...Array.from({ length: listed }, (_, at) => `${at + first}`), ...FOLDERS],
    exists: (path) => path === "/proc",
    readLink: (path) => path === "/proc/self/ns/pid" ? namespace : undefined,
    openLinkCount: () => () => links[Math.min(next++, links.length - 1)] ?? 0,
  };
  return host;
}

/** The counts of so many reports; those of the listing are below zero. */
function counts(reports: number, ...of: Parameters<typeof proc>): number[] {
  const processes = new ProcessCollector(proc(...of), () => -3);
  return Array.from({ length: reports }, () => processes.collect());
}

Deno.test("ProcessCollector follows the links of /proc: two of its own, three of folders, one a process", () => {
  assertEquals(counts(3, [75, 75, 75, 80, 60]), [70, 75, 55]);
  // A process starts while they are listed, at first or always.
  assertEquals(counts(1, [74, 75, 75, 75]), [70]);
  assertEquals(counts(1, [75, 76, 75, 76, 75, 76, 75, 76, 75, 76, 80]), [75]);
  assertEquals(counts(1, [...Array(5).fill([75, 83]).flat(), 80]), [75]);
});

Deno.test("ProcessCollector lists where the links are not those of the listed processes and a few folders", () => {
  assertEquals([70, 71, 75, 79, 80].map((links) => counts(1, [links])[0]), [-3, 70, 70, 70, -3]);
  assertEquals(counts(1, [200], { listed: 3, namespace: "pid:[4026532198]" }), [-3]);
  // Outside of a namespace, hidepid hides other users' processes, the first one among them.
  assertEquals(counts(1, [200], { listed: 3, first: 700, namespace: HOSTS }), [195]);
  assertEquals(counts(1, [90], { listed: 39, namespace: HOSTS }), [-3]);
});

Deno.test("ProcessCollector.collect() throws when /proc can't be listed", () => {
  const host = { ...proc([0], { listed: 0 }), exists: () => false };
  const processes = new ProcessCollector(host, () => undefined);
  assertThrows(() => processes.collect(), Error, "Cannot list all processes in /proc");
});
