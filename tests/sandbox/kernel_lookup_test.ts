import { assertEquals } from "@std/assert";
import { KernelLookup } from "../../lib/sandbox/kernel_lookup.ts";
import { sameLater } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";

/** Look-ups on a machine with these folders. */
function lookupOf(folders: Record<string, string[]>): KernelLookup {
  return new KernelLookup({
    roots: { proc: "/proc", sys: "/sys", root: "/" },
    exists: (path) => path in folders,
    list: (path) => folders[path],
    readText: () => undefined,
  });
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

Deno.test("KernelLookup looks itself before the seal", () => {
  const lookup = lookupOf({
    "/proc": ["1", "27", "self", "sys", "3com", "net4"],
    "/sys/class/net/eth0": ["device"],
  });
  assertEquals(lookup.processCount(), 2);
  const [card, none] = ["eth0", "eth1"].map((name) => lookup.interfaceTraits(name));
  assertEquals([card?.hasDevice, none], [true, undefined]);
  const hidden = lookupOf({ "/proc": ["27", "self"] });
  assertEquals(hidden.processCount(), undefined, "others are hidden");
});

Deno.test("KernelLookup asks the shell after the seal, and has the count a look later, if there is one", async () => {
  /** The count before the seal, at its first look then, and at the next one. */
  const counts = async (countProcesses?: () => Promise<number>) => {
    const lookup = lookupOf({ "/proc": ["1", "2"], "/sys/class/net/eth0": ["device"] });
    const found = [lookup.processCount()];
    lookup.useShell(countProcesses && { countProcesses });
    assertEquals(lookup.interfaceTraits("eth0"), undefined);
    for (let look = 0; look < 2; look++) {
      found.push(lookup.processCount());
      await settle();
    }
    return found;
  };
  await sameLater(counts, [
    [() => Promise.resolve(10), [2, 2, 10]],
    [() => Promise.resolve(0), [2, 2, undefined]], // Others are hidden.
    [() => Promise.reject(new Error("gone")), [2, 2, undefined]],
    [undefined, [2, undefined, undefined]], // An old count is no count.
  ]);
});

Deno.test("KernelLookup lets the shell count again after 10 s, or later when counting takes long", async () => {
  using time = new FakeTime();
  const lookup = lookupOf({ "/proc": ["1"] });
  let takesMs = 0;
  const askedAtMs: number[] = [];
  const countProcesses = () => {
    askedAtMs.push(performance.now());
    time.tick(takesMs);
    return Promise.resolve(askedAtMs.length);
  };
  lookup.useShell({ countProcesses });
  const asked = async ([ms, endMs]: readonly [number, number]) => {
    takesMs = ms;
    for (; performance.now() < endMs; time.tick(1_000)) {
      lookup.processCount();
      await settle();
    }
    return askedAtMs.splice(0);
  };
  await sameLater(asked, [
    [[0, 30_000], [0, 10_000, 20_000]],
    // 40 s after one that took 5 ms, and a minute later at most.
    [[5, 120_000], [30_000, 70_005, 110_010]],
    [[500, 400_000], [150_015, 210_515, 271_015, 331_515, 392_015]],
  ]);
});
