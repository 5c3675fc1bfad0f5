import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { LinkKind } from "../../lib/host/host.ts";
import { type InterfaceTraits, NO_TRAITS } from "../../lib/host/interface_traits.ts";
import { NetworkCollector } from "../../lib/metrics/network.ts";
import type { TrafficBytes } from "../../lib/types.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { rated } from "./rated.ts";
import { networkOf } from "./network_of.ts";

interface Nic {
  name: string;
  readonly index: number;
  bytes: number;
  readonly kind: "card" | "bond" | "veth";
  /** The bond that it is part of. */
  bond?: Nic | undefined;
}

/** A kernel with cards and bonds, whose counters are the sums of what has passed their members. */
class Kernel {
  readonly nics: Nic[] = [];
  /** All that has passed cards. */
  passed = 0;
  /** Happens while `net/dev` is being read. */
  during: (() => void) | undefined;
  readonly network: NetworkCollector;
  /** Interfaces whose files were read. */
  asked: string[] = [];
  /** Questions for the index of a name. */
  finds = 0;
  readonly #look: ReturnType<typeof rated>;
  readonly #time: FakeTime;
  readonly #hasKinds: boolean;
  readonly #changed = new Set<number>();
  /** Of the last answer; `undefined` where some were lost. */
  #told: ReadonlySet<number> | undefined;
  #isLost = false;
  #lastIndex = 1;

  constructor(
    time: FakeTime,
    { isSealed = false, hasLinks = true, hasKinds = true, hasIndexes = true, exclude = [] }: {
      isSealed?: boolean;
      hasLinks?: boolean;
      hasKinds?: boolean;
      hasIndexes?: boolean;
      exclude?: readonly string[];
    } = {},
  ) {
    this.#time = time;
    this.#hasKinds = hasKinds;
    const traits = (name: string) => this.#traits(name);
    const told = () => this.#told;
    this.network = new NetworkCollector(
      { read: () => this.#read() },
      (name) => isSealed ? undefined : traits(name),
      {
        globs: { include: [], exclude },
        links: hasLinks
          ? {
            hasChanged: () => this.#takeChange(),
            get changed() {
              return hasIndexes ? told() : undefined;
            },
            find: (name) => this.#link(name),
            counters: (index) => this.#counters(index),
            kind: (index) => this.#kind(index),
          }
          : undefined,
      },
    );
    this.#look = rated(this.network);
  }

  make(name: string, { bytes = 0, kind = "card" as Nic["kind"] } = {}): Nic {
    const nic: Nic = { name, index: ++this.#lastIndex, bytes, kind };
    if (kind === "card") this.passed += bytes;
    this.nics.push(nic);
    this.#changed.add(nic.index);
    return nic;
  }

  remove(nic: Nic): void {
    this.nics.splice(this.nics.indexOf(nic), 1);
    for (const it of this.nics) {
      if (it.bond !== nic) continue;
      it.bond = undefined;
      this.#changed.add(it.index);
    }
    this.#changed.add(nic.index);
  }

  rename(nic: Nic, name: string): void {
    nic.name = name;
    this.#changed.add(nic.index);
  }

  swap(one: Nic, other: Nic): void {
    [one.name, other.name] = [other.name, one.name];
    this.#changed.add(one.index).add(other.index);
  }

  enslave(nic: Nic, bond: Nic | undefined): void {
    nic.bond = bond;
    this.#changed.add(nic.index);
  }

  pass(nic: Nic, bytes: number): void {
    nic.bytes += bytes;
    if (nic.bond) nic.bond.bytes += bytes;
    this.passed += bytes;
  }

  /** A report a second later, once all that was looked up is there: total and speed. */
  async step(): Promise<[total: number | undefined, speed: number | undefined]> {
    this.#time.tick(1_000);
    const traffic = this.#look();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    return [traffic?.receivedBytes, traffic?.receivedBytesPerSecond];
  }

  rules(): Record<string, string> {
    return Object.fromEntries(
      this.network.interfaces().map(({ name, counted, rule }) => [
        name,
        `${counted ? "counted" : "left out"}: ${rule}`,
      ]),
    );
  }

  /** Loses what it was to tell. */
  lose(): void {
    this.#changed.clear();
    this.#isLost = true;
  }

  #takeChange(): boolean {
    this.#told = this.#isLost ? undefined : new Set(this.#changed);
    this.#isLost = false;
    this.#changed.clear();
    return this.#told === undefined || this.#told.size > 0;
  }

  #counters(index: number): TrafficBytes | undefined {
    const nic = this.nics.find((it) => it.index === index);
    return nic && { receivedBytes: nic.bytes, sentBytes: nic.bytes };
  }

  #link(name: string): number | undefined {
    this.finds++;
    return this.nics.find((it) => it.name === name)?.index;
  }

  /** Cards have no kind. */
  #kind(index: number): LinkKind | undefined {
    const nic = this.nics.find((it) => it.index === index);
    if (nic === undefined || !this.#hasKinds) return undefined;
    return {
      name: nic.name,
      kind: nic.kind === "card" ? undefined : nic.kind,
      ...{ isLoopback: false, isStacked: false, isMonitor: false },
      hasDevice: nic.kind === "card",
      ...(nic.bond && { master: nic.bond.name, masterKind: "bond" }),
    };
  }

  #traits(name: string): InterfaceTraits | undefined {
    this.asked.push(name);
    const nic = this.nics.find((it) => it.name === name);
    return nic && {
      ...NO_TRAITS,
      device: nic.kind === "card",
      bond: nic.kind === "bond",
      bondSlave: nic.bond !== undefined,
      master: nic.bond?.name,
      index: nic.index,
    };
  }

  #read(): string {
    const text = this.nics.map(({ name, bytes }) =>
      `${name}: ${bytes} 0 0 0 0 0 0 0 ${bytes} 0 0 0 0 0 0 0\n`
    ).join("");
    const { during } = this;
    this.during = undefined;
    during?.();
    return text;
  }
}

const table = [[false, true], [true, true], [false, false], [true, false]] as const;
for (const [isSealed, isTold] of table) {
  const told = isTold ? "all" : "nothing";
  const when = `${isSealed ? "after" : "before"} the seal, where netlink tells ${told} of changes`;
  const has = { hasIndexes: isTold, hasKinds: isTold };

  timed.test(`NetworkCollector.collect() goes on where the names of two are swapped, ${when}`, async (time) => {
    const kernel = new Kernel(time, { isSealed, ...has });
    const small = kernel.make("eth0", { bytes: 1_000 });
    const large = kernel.make("eth1", { bytes: 20_000_000 });
    await kernel.step();
    assertEquals((await kernel.step())[0], 20_001_000);
    kernel.pass(small, 30);
    kernel.swap(small, large);
    kernel.pass(large, 400);
    await kernel.step();
    kernel.pass(small, 5);
    assertEquals(await kernel.step(), [20_001_435, isSealed ? 0 : 5]);
    kernel.pass(large, 6);
    assertEquals(await kernel.step(), [20_001_441, 6]);
    assertEquals(Object.keys(kernel.rules()).sort(), ["eth0", "eth1"]);
  });

  timed.test(`NetworkCollector.collect() counts each that takes a name whole, ${when}`, async (time) => {
    const kernel = new Kernel(time, { isSealed, ...has });
    kernel.make("eth0", { bytes: 7 });
    let eth1 = kernel.make("eth1", { bytes: 1_000_000 });
    await kernel.step();
    await kernel.step();
    for (let time = 0; time < 5; time++) {
      kernel.remove(eth1);
      eth1 = kernel.make("eth1", { bytes: 1_000_000 });
      const [, speed = NaN] = await kernel.step();
      assertEquals(speed, 0, "nothing is as fast as a counter that is new");
    }
    assertEquals((await kernel.step())[0], 6_000_007);
    // A busier one takes the name.
    kernel.remove(eth1);
    eth1 = kernel.make("eth1", { bytes: 50_000_000 });
    await kernel.step();
    assertEquals(await kernel.step(), [56_000_007, 0]);
  });

  timed.test(`NetworkCollector.collect() counts a bond and its members once, whenever they join, ${when}`, async (time) => {
    const kernel = new Kernel(time, { isSealed, ...has });
    const eth0 = kernel.make("eth0", { bytes: 40 });
    const eth1 = kernel.make("eth1", { bytes: 1_000 });
    await kernel.step();
    await kernel.step();
    kernel.pass(eth1, 100);
    const bond = kernel.make("bond0", { kind: "bond" });
    kernel.enslave(eth1, bond);
    kernel.pass(eth1, 1_000);
    for (let report = 0; report < 4; report++) {
      await kernel.step();
      kernel.pass(eth1, 500);
    }
    assertEquals(await kernel.step(), [4_140, 500]);
    await settle(kernel);
    assertEquals(kernel.rules(), {
      eth0: "counted: has a device",
      eth1: "left out: bond slave of bond0",
      bond0: "counted: bond",
    });
    // Another one joins much later, after it has counted by itself.
    kernel.pass(eth0, 30);
    kernel.enslave(eth0, bond);
    kernel.pass(eth0, 300);
    kernel.pass(eth1, 20);
    assertEquals(await kernel.step(), [4_490, 350]);
    kernel.pass(eth0, 7);
    await settle(kernel);
    assertEquals(kernel.rules().eth0, "left out: bond slave of bond0");
    // One leaves, and then the bond goes.
    kernel.pass(eth1, 1);
    kernel.enslave(eth1, undefined);
    kernel.pass(eth1, 10);
    assertEquals((await kernel.step())[0], 4_508);
    await settle(kernel);
    assertEquals(kernel.rules().eth1, "counted: has a device");
    kernel.remove(bond);
    kernel.pass(eth0, 2_100);
    await kernel.step();
    kernel.pass(eth0, 3);
    assertEquals(await kernel.step(), [6_611, 3]);
    await settle(kernel);
    assertEquals(kernel.rules(), { eth0: "counted: has a device", eth1: "counted: has a device" });
  });

  timed.test(`NetworkCollector.collect() counts a member up to its joining a bond that is excluded, ${when}`, async (time) => {
    const kernel = new Kernel(time, { isSealed, ...has, exclude: ["bond0"] });
    const bond = kernel.make("bond0", { kind: "bond" });
    const eth0 = kernel.make("eth0", { bytes: 100 });
    for (let report = 0; report < 3; report++) await kernel.step();
    kernel.pass(eth0, 40);
    kernel.enslave(eth0, bond);
    assertEquals(await kernel.step(), [140, 40]);
    kernel.pass(eth0, 7);
    assertEquals((await kernel.step())[0], isSealed ? 147 : 140);
    kernel.pass(eth0, 9);
    assertEquals(await kernel.step(), isSealed ? [147, 0] : [140, 0]);
  });

  timed.test(`NetworkCollector.collect() counts what a member passes as it leaves its first bond, ${when}`, async (time) => {
    const kernel = new Kernel(time, { isSealed, ...has });
    const bond = kernel.make("bond0", { kind: "bond" });
    const eth0 = kernel.make("eth0");
    const eth1 = kernel.make("eth1");
    kernel.enslave(eth0, bond);
    kernel.enslave(eth1, bond);
    kernel.pass(eth0, 1_000);
    for (let report = 0; report < 3; report++) await kernel.step();
    kernel.pass(eth1, 70);
    kernel.enslave(eth1, undefined);
    kernel.pass(eth1, 5);
    for (let report = 0; report < 3; report++) await kernel.step();
    assertEquals(await kernel.step(), [1_075, 0]);
  });

  Deno.test(`NetworkCollector.collect() counts what passes cards and bonds exactly once, ${when}`, async () => {
    const card = fc.nat({ max: 3 });
    const action = fc.oneof(
      fc.record({ what: fc.constant("pass"), card, bytes: fc.nat({ max: 1_000_000 }) }),
      fc.record({
        what: fc.constantFrom("swap", "join", "leave", "anew"),
        card,
        bytes: fc.nat(99),
      }),
      fc.record({ what: fc.constantFrom("bond", "unbond", "report"), card, bytes: card }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
        using time = new FakeTime();
        const kernel = new Kernel(time, { isSealed, ...has });
        const cards = Array.from(
          { length: 4 },
          (_, at) => kernel.make(`eth${at}`, { bytes: 1000 }),
        );
        let bond: Nic | undefined;
        await kernel.step();
        await kernel.step();
        for (const { what, card, bytes } of actions) {
          const nic = cards[card];
          assert(nic !== undefined);
          const other = cards[(card + 1) % cards.length];
          // What passes between a report and a removal is nobody's to know.
          if (what === "anew" || what === "unbond") await settle(kernel);
          if (what === "pass") kernel.pass(nic, bytes);
          if (what === "swap" && other) kernel.swap(nic, other);
          if (what === "join" && bond && !nic.bond) kernel.enslave(nic, bond);
          if (what === "leave") kernel.enslave(nic, undefined);
          if (what === "report") await kernel.step();
          if (what === "bond") bond ??= kernel.make("bond0", { kind: "bond" });
          if (what === "unbond" && bond) {
            kernel.remove(bond);
            bond = undefined;
          }
          if (what === "anew") {
            kernel.remove(nic);
            cards[card] = kernel.make(nic.name, { bytes });
          }
        }
        const total = await settle(kernel);
        assertEquals(total, kernel.passed);
        const [, speed] = await kernel.step();
        assertEquals(speed, 0);
      }),
      { numRuns: 300 },
    );
  });
}

/** Reports until all has been looked up again and counted; the total. */
async function settle(kernel: Kernel): Promise<number | undefined> {
  for (let report = 0; report < 7; report++) await kernel.step();
  return (await kernel.step())[0];
}

timed.test("NetworkCollector.collect() reads again when a name changes hands while it reads", async (time) => {
  const kernel = new Kernel(time);
  const small = kernel.make("eth0", { bytes: 1_000 });
  const large = kernel.make("eth1", { bytes: 20_000_000 });
  await kernel.step();
  for (let time = 0; time < 5; time++) {
    kernel.during = () => kernel.swap(small, large);
    await kernel.step();
    assertEquals((await kernel.step())[0], 20_001_000);
  }
});

timed.test("NetworkCollector.collect() counts a short-lived interface, if it was told what it is", async (time) => {
  const kernel = new Kernel(time, { isSealed: true });
  kernel.make("eth0", { bytes: 5 });
  await kernel.step();
  await kernel.step();
  const wwan = kernel.make("wwan0", { bytes: 700 });
  await kernel.step();
  kernel.remove(wwan);
  assertEquals((await kernel.step())[0], 705);
  const veth = kernel.make("veth0", { bytes: 9_000, kind: "veth" });
  await kernel.step();
  kernel.remove(veth);
  assertEquals((await kernel.step())[0], 705);
});

timed.test("NetworkCollector.collect() reads no files of interfaces of which netlink tells all, nor again without a change", async (time) => {
  const kernel = new Kernel(time);
  const card = kernel.make("eth0", { bytes: 5 });
  await settle(kernel);
  kernel.asked = [];
  for (let change = 0; change < 20; change++) {
    const veth = kernel.make("veth0", { bytes: 9_000, kind: "veth" });
    await kernel.step();
    kernel.remove(veth);
    await kernel.step();
  }
  // Once more after the first look, when its files tell all.
  assertEquals(kernel.asked, ["eth0"]);
  assertEquals(kernel.rules(), { eth0: "counted: has a device" });
  const bond = kernel.make("bond0", { kind: "bond" });
  kernel.enslave(card, bond);
  kernel.asked = [];
  await settle(kernel);
  assertEquals(new Set(kernel.asked), new Set(["eth0"]), "it has joined a bond");
  kernel.pass(card, 7);
  assertEquals(await settle(kernel), 12);
});

timed.test("NetworkCollector.collect() takes no traits of another network's interface", async (time) => {
  const network = networkOf(
    () => "lan: 7 0 0 0 0 0 0 0 7 0 0 0 0 0 0 0\n",
    () => ({ ...NO_TRAITS, bridge: true, index: 12 }),
    { find: () => 3 },
  );
  time.tick(1_000);
  assertEquals(await network.collect(), { receivedBytes: 7, sentBytes: 7 });
});

Deno.test("NetworkCollector.collect() counts a later bond once where the kernel is not asked", async () => {
  for (const isSealed of [false, true]) {
    using time = new FakeTime();
    const kernel = new Kernel(time, { isSealed, hasLinks: false });
    const eth1 = kernel.make("eth1", { bytes: 1_000 });
    await settle(kernel);
    const bond = kernel.make("bond0", { kind: "bond" });
    kernel.enslave(eth1, bond);
    kernel.pass(eth1, 1_000);
    assertEquals(await settle(kernel), 2_000);
    await settle(kernel);
    assertEquals(kernel.rules().eth1, "left out: bond slave of bond0");
    kernel.pass(eth1, 500);
    assertEquals(await settle(kernel), 2_500);
    kernel.remove(bond);
    await settle(kernel);
    kernel.pass(eth1, 600);
    assertEquals(await settle(kernel), 3_100);
    assertEquals(kernel.rules(), { eth1: "counted: has a device" });
  }
});

timed.test("NetworkCollector.collect() counts nothing of one that has gone before it was told what it is", async (time) => {
  const answer = Promise.withResolvers<InterfaceTraits>();
  const row = (name: string) => `${name}: 7 0 0 0 0 0 0 0 7 0 0 0 0 0 0 0\n`;
  let text = row("eth0");
  const network = networkOf(
    () => text,
    (name) => name === "eth0" ? { ...NO_TRAITS, device: true, index: 2 } : answer.promise,
    { find: (name) => name === "eth0" ? 2 : 3 },
  );
  const step = () => {
    time.tick(1_000);
    return network.collect()?.receivedBytes;
  };
  step();
  text += row("wwan0");
  step();
  // That is another one, which has its name by now.
  answer.resolve({ ...NO_TRAITS, device: true, index: 4 });
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  text = row("eth0");
  assertEquals(step(), 7);
});

timed.test("NetworkCollector.collect() begins with a bond's own counters, whatever its members have", async (time) => {
  const kernel = new Kernel(time);
  const bond = kernel.make("bond0", { kind: "bond", bytes: 5_000 });
  kernel.enslave(kernel.make("eth0", { bytes: 100 }), bond);
  assertEquals((await kernel.step())[0], 5_000);
  assertEquals((await kernel.step())[0], 5_000);
});

timed.test("NetworkCollector.collect() follows changes among hundreds every 5 s where it is not told which, and counts what comes whole", async (time) => {
  const kernel = new Kernel(time, { hasIndexes: false });
  const eth0 = kernel.make("eth0", { bytes: 1_000 });
  const veths = Array.from({ length: 120 }, (_, at) => kernel.make(`veth${at}`, { kind: "veth" }));
  await settle(kernel);
  let reads = 0;
  const count = () => {
    reads++;
    kernel.during = count;
  };
  kernel.during = count;
  // Containers come and go at every report.
  for (let second = 0; second < 60; second++) {
    kernel.remove(veths[second] ?? eth0);
    kernel.make(`veth-${second}`, { kind: "veth" });
    kernel.pass(eth0, 10);
    assertEquals(await kernel.step(), [1_010 + 10 * second, 10]);
  }
  assert(reads >= 11 && reads <= 13, `${reads} readings in 60 s`);
  // What counts and is gone is noticed at once; what comes counts whole within 5 s.
  await settle(kernel);
  kernel.make("wwan0", { bytes: 70 });
  await settle(kernel);
  assertEquals((await kernel.step())[0], 1_670);
  kernel.remove(eth0);
  kernel.make("eth0", { bytes: 5 });
  assertEquals((await kernel.step())[0], 1_675);
});

timed.test("NetworkCollector.collect() follows single changes by their indexes, at the next report and without net/dev", async (time) => {
  const kernel = new Kernel(time);
  const eth0 = kernel.make("eth0", { bytes: 1_000 });
  for (let at = 0; at < 120; at++) kernel.make(`veth${at}`, { kind: "veth" });
  await settle(kernel);
  kernel.finds = 0;
  kernel.during = () => assert(false, "net/dev is read");
  for (let second = 0; second < 20; second++) {
    const veth = kernel.make("veth-new", { bytes: 9_000, kind: "veth" });
    kernel.pass(eth0, 10);
    assertEquals(await kernel.step(), [1_010 + 10 * second, 10]);
    kernel.remove(veth);
  }
  kernel.make("wwan0", { bytes: 70 });
  assertEquals((await kernel.step())[0], 1_270);
  kernel.rename(eth0, "lan0");
  kernel.pass(eth0, 5);
  assertEquals((await kernel.step())[0], 1_275);
  assertEquals(kernel.rules().lan0, "counted: has a device");
  kernel.remove(eth0);
  kernel.pass(kernel.make("eth0", { bytes: 3 }), 4);
  assertEquals((await kernel.step())[0], 1_282);
  assertEquals(kernel.finds, 0);
});

timed.test("NetworkCollector.collect() reads no net/dev while nothing counts", async (time) => {
  const kernel = new Kernel(time, { exclude: ["eth*"] });
  kernel.make("eth0", { bytes: 1_000 });
  await settle(kernel);
  kernel.during = () => assert(false, "net/dev is read");
  await settle(kernel);
});

timed.test("NetworkCollector.collect() looks at all again where changes were lost", async (time) => {
  const kernel = new Kernel(time);
  kernel.make("eth0", { bytes: 1_000 });
  await settle(kernel);
  const wwan0 = kernel.make("wwan0", { bytes: 70 });
  kernel.lose();
  assertEquals((await kernel.step())[0], 1_070);
  kernel.pass(wwan0, 5);
  assertEquals(await kernel.step(), [1_075, 5]);
});

Deno.test("NetworkCollector.collect() asks the kernel what an interface is, and again after a change", () => {
  let [hasChanged, isMonitor] = [false, false];
  const text = ["loop7", "wlan0"].map((name) => `${name}: ${"9 ".repeat(16)}\n`).join("");
  const network = networkOf(() => text, () => ({ ...NO_TRAITS, device: true }), {
    hasChanged: () => hasChanged && !(hasChanged = false),
    find: (name) => name === "loop7" ? 1 : 2,
    counters: () => ({ receivedBytes: 9, sentBytes: 9 }),
    kind: (index) => ({
      name: "",
      isLoopback: index === 1,
      isStacked: false,
      isMonitor: index === 2 && isMonitor,
    }),
  });
  const rules = () => {
    network.collect();
    return network.interfaces().map(({ rule }) => rule);
  };
  assertEquals(rules(), ["loopback", "has a device"]);
  [hasChanged, isMonitor] = [true, true];
  assertEquals(rules(), ["loopback", "monitor of a radio"]);
});

timed.test("NetworkCollector.collect() asks among hundreds for the index of few, and of all when one that counts is renamed", async (time) => {
  const kernel = new Kernel(time, { hasIndexes: false });
  const eth0 = kernel.make("eth0", { bytes: 1_000 });
  const veths = Array.from({ length: 120 }, (_, at) => kernel.make(`veth${at}`, { kind: "veth" }));
  await settle(kernel);
  kernel.finds = 0;
  kernel.remove(veths[0] ?? eth0);
  kernel.make("veth-new", { kind: "veth" });
  await settle(kernel);
  assertEquals(kernel.finds, 2, "eth0 and the new one");
  // A card takes the name of one that never counted, which takes its name.
  kernel.swap(eth0, veths[1] ?? eth0);
  kernel.pass(eth0, 7);
  await settle(kernel);
  await settle(kernel);
  assertEquals(kernel.rules().veth1, "counted: has a device");
  kernel.pass(eth0, 5);
  assertEquals(await kernel.step(), [1_012, 5]);
});

timed.test("NetworkCollector.collect() counts a member that leaves its bond once, among many interfaces too", async (time) => {
  const kernel = new Kernel(time);
  const bond = kernel.make("bond0", { kind: "bond" });
  const eth0 = kernel.make("eth0");
  kernel.enslave(eth0, bond);
  const others = Array.from({ length: 40 }, (_, at) => kernel.make(`veth${at}`, { kind: "veth" }));
  await settle(kernel);
  for (let second = 0; second < 10; second++) {
    kernel.pass(eth0, 100);
    await kernel.step();
  }
  // By then all of it is counted, by the bond's own file.
  kernel.enslave(eth0, undefined);
  for (let second = 0; second < 35; second++) await kernel.step();
  assertEquals((await kernel.step())[0], kernel.passed);
  for (const veth of others) kernel.remove(veth);
  for (let second = 0; second < 35; second++) await kernel.step();
  kernel.enslave(eth0, bond);
  await settle(kernel);
  kernel.pass(eth0, 70);
  kernel.enslave(eth0, undefined);
  kernel.pass(eth0, 5);
  assertEquals(await settle(kernel), kernel.passed);
});

timed.test("NetworkCollector.collect() takes the last of two answers about an interface, which may come first", async (time) => {
  const answers: PromiseWithResolvers<InterfaceTraits>[] = [];
  let hasChanged = false;
  const network = networkOf(() => "eth1: 7 0 0 0 0 0 0 0 7 0 0 0 0 0 0 0\n", () => {
    const answer = Promise.withResolvers<InterfaceTraits>();
    answers.push(answer);
    return answer.promise;
  }, {
    hasChanged: () => hasChanged && !(hasChanged = false),
    find: () => 2,
    counters: () => ({ receivedBytes: 7, sentBytes: 7 }),
  });
  const step = async () => {
    time.tick(1_000);
    network.collect();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  };
  const answer = (at: number, bondSlave: boolean) =>
    answers[at]?.resolve({ ...NO_TRAITS, device: true, bondSlave });
  await step();
  answer(0, false);
  await step();
  await step();
  assertEquals(network.interfaces().map(({ counted }) => counted), [true]);
  // It joins a bond while it is looked up, and is looked up once more.
  hasChanged = true;
  for (let second = 0; second < 7; second++) await step();
  assertEquals(answers.length, 3);
  answer(2, true);
  answer(1, false);
  await step();
  await step();
  assertEquals(network.interfaces().map(({ rule }) => rule), ["bond slave of another interface"]);
});

timed.test("NetworkCollector.collect() decides again about a port that joins a bridge later", async (time) => {
  let port = NO_TRAITS;
  let hasChanged = false;
  const traits: Record<string, InterfaceTraits> = {};
  let text = "eth0: 7 0 0 0 0 0 0 0 7 0 0 0 0 0 0 0\nguest: 50 0 0 0 0 0 0 0 50 0 0 0 0 0 0 0\n";
  const network = networkOf(
    () => text,
    (name) => Promise.resolve(name === "guest" ? port : traits[name] ?? NO_TRAITS),
    { hasChanged: () => hasChanged && !(hasChanged = false), find: (name) => name.length },
  );
  const rule = () => network.interfaces().find(({ name }) => name === "guest")?.rule;
  const step = async (ms: number) => {
    time.tick(ms);
    network.collect();
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  };
  for (let report = 0; report < 3; report++) await step(1_000);
  assertEquals(rule(), "by name: no interface has a device");
  port = { ...NO_TRAITS, bridgePort: true };
  hasChanged = true;
  for (let report = 0; report < 4; report++) await step(3_000);
  assertEquals(rule(), "virtual: bridge port");
  text = text.replaceAll("50", "90");
  await step(1_000);
  assertEquals(network.total.bytes(), { receivedBytes: 57, sentBytes: 57 });
});
