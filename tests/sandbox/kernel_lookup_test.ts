import { assertEquals } from "@std/assert";
import { type InterfaceTraits, NO_TRAITS } from "../../lib/host/interface_traits.ts";
import { KernelLookup, type LookupShell } from "../../lib/sandbox/kernel_lookup.ts";
import { FakeTime } from "../fake_time.ts";

const ROOTS = { proc: "/proc", sys: "/sys", root: "/" };

function fakeHost(folders: Record<string, string[]>) {
  return {
    roots: ROOTS,
    exists: (path: string) => path in folders,
    list: (path: string) => folders[path],
    readLink: () => undefined,
    readText: () => undefined,
  };
}

const TRAITS: InterfaceTraits = { ...NO_TRAITS, device: true, index: undefined, master: undefined };

/** A shell that counts so. */
function shellOf(countProcesses: () => Promise<number>): LookupShell {
  return {
    countProcesses,
  };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

Deno.test("KernelLookup looks itself before the seal", () => {
  const tree = new KernelLookup(fakeHost({
    "/proc": ["1", "27", "self", "sys", "3com", "net4"],
    "/sys/class/net/eth0": ["device"],
  }));
  assertEquals(tree.processCount(), 2);
  assertEquals(tree.interfaceTraits("eth0"), TRAITS);
  assertEquals(tree.interfaceTraits("eth1"), undefined);
});

Deno.test("KernelLookup asks the shell after the seal, and has the count a look later", async () => {
  const tree = new KernelLookup(fakeHost({ "/proc": ["1", "2"] }));
  assertEquals(tree.processCount(), 2);
  let asked = 0;
  tree.useShell(shellOf(() => Promise.resolve(++asked * 10)));
  assertEquals(tree.processCount(), 2, "the last count until the shell has answered");
  await settle();
  assertEquals(tree.processCount(), 10);
  assertEquals(tree.interfaceTraits("eth0"), undefined);
});

Deno.test("KernelLookup knows nothing new when the shell is gone", async () => {
  const tree = new KernelLookup(fakeHost({ "/proc": ["1", "2"] }));
  tree.processCount();
  tree.useShell({
    countProcesses: () => Promise.reject(new Error("gone")),
  });
  tree.processCount();
  await settle();
  assertEquals(tree.processCount(), undefined, "an old count is no count");
});

Deno.test("KernelLookup has no count where other users' processes are hidden", async () => {
  const tree = new KernelLookup(fakeHost({ "/proc": ["27", "self"] }));
  assertEquals(tree.processCount(), undefined);
  tree.useShell(shellOf(() => Promise.resolve(0)));
  tree.processCount();
  await settle();
  assertEquals(tree.processCount(), undefined);
});

Deno.test("KernelLookup without a shell keeps no count that has grown old", () => {
  const tree = new KernelLookup(fakeHost({ "/proc": ["1", "2"] }));
  tree.processCount();
  tree.useShell(undefined);
  assertEquals(tree.interfaceTraits("eth0"), undefined);
  assertEquals(tree.interfaceTraits("eth0"), undefined);
  assertEquals(tree.processCount(), undefined);
});

Deno.test("KernelLookup lets the shell count again after 10 s, or later when counting takes long", async () => {
  using time = new FakeTime();
  const tree = new KernelLookup(fakeHost({ "/proc": ["1"] }));
  let takesMs = 0;
  const askedAtMs: number[] = [];
  tree.useShell(shellOf(() => {
    askedAtMs.push(performance.now());
    time.tick(takesMs);
    return Promise.resolve(askedAtMs.length);
  }));
  const reportUntil = async (endMs: number) => {
    for (; performance.now() < endMs; time.tick(1_000)) {
      tree.processCount();
      await settle();
    }
  };
  await reportUntil(30_000);
  assertEquals(askedAtMs, [0, 10_000, 20_000]);
  takesMs = 5;
  askedAtMs.length = 0;
  await reportUntil(120_000);
  assertEquals(askedAtMs, [30_000, 70_005, 110_010], "40 s after one that took 5 ms");
  takesMs = 500;
  askedAtMs.length = 0;
  await reportUntil(400_000);
  assertEquals(askedAtMs, [150_015, 210_515, 271_015, 331_515, 392_015], "a minute later at most");
});
