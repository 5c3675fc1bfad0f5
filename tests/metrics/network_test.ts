import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { InterfaceTraits, Links } from "../../lib/host/host.ts";
import type { InterfaceGlobs } from "../../lib/metrics/interface_filter.ts";
import { NetworkCollector } from "../../lib/metrics/network.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { rated } from "./rated.ts";

/** A card has no kind, and `other` no traits either. */
type Kind = "card" | "bond" | "bridge" | "veth" | "macvlan" | "tun" | "ppp" | "other";

interface Nic {
  name: string;
  readonly index: number;
  readonly kind: Kind;
  bytes: number;
  /** The bond, bridge or card that it is part of. */
  master?: Nic | undefined;
}

type Totals = [total: number | undefined, speed: number | undefined];

/** A kernel whose bonds count what passes their members, and as one panel sees it. */
class Kernel {
  nics: Nic[] = [];
  /** All that has passed cards. */
  passed = 0;
  /** In place of the interfaces' lines. */
  text: string | undefined;
  /** `/sys` can't be read any more. */
  isSealed = false;
  readings = 0;
  readonly network: NetworkCollector;
  readonly #time: FakeTime;
  readonly #isLossy: boolean;
  readonly #look: ReturnType<typeof rated>;
  #changed = new Set<number>();
  #lastIndex = 1;

  constructor(
    time: FakeTime,
    { hasLinks = true, isLossy = false, hasCounters = true, ...globs }: {
      hasLinks?: boolean;
      isLossy?: boolean;
      hasCounters?: boolean;
    } & Partial<InterfaceGlobs> = {},
  ) {
    this.#time = time;
    this.#isLossy = isLossy;
    const links: Links = {
      changes: () => this.#takeChanges(),
      find: (name) => this.nics.find((it) => it.name === name)?.index,
      counters: (index) =>
        hasCounters ? this.#with(index, ({ bytes }) => bytesOf(bytes)) : undefined,
      traits: (index) => this.#with(index, linkOf),
    };
    this.network = new NetworkCollector({ read: () => this.#read() }, (name) => {
      const nic = this.isSealed ? undefined : this.nics.find((it) => it.name === name);
      return nic && traitsOf(nic);
    }, { globs: { include: [], exclude: [], ...globs }, links: hasLinks ? links : undefined });
    this.#look = rated(this.network);
  }

  make(name: string, bytes = 0, kind: Kind = "card", master?: Nic): Nic {
    const nic: Nic = { name, index: ++this.#lastIndex, bytes, kind, master };
    if (kind === "card") this.passed += bytes;
    this.nics.push(nic);
    this.#changed.add(nic.index);
    return nic;
  }

  remove(nic: Nic): void {
    this.nics = this.nics.filter((it) => it !== nic);
    for (const it of this.nics) if (it.master === nic) this.join(it, undefined);
    this.#changed.add(nic.index);
  }

  rename(nic: Nic, name: string): void {
    nic.name = name;
    this.#changed.add(nic.index);
  }

  swap(one: Nic, other: Nic): void {
    const { name } = one;
    this.rename(one, other.name);
    this.rename(other, name);
  }

  join(nic: Nic, master: Nic | undefined): void {
    nic.master = master;
    this.#changed.add(nic.index);
  }

  pass(nic: Nic, bytes: number): void {
    nic.bytes += bytes;
    if (nic.master?.kind === "bond") nic.master.bytes += bytes;
    this.passed += bytes;
  }

  /** A report a second later: total and speed of what was received. */
  step(): Totals {
    this.#time.tick(1_000);
    const traffic = this.#look();
    return [traffic?.receivedBytes, traffic?.receivedBytesPerSecond];
  }

  rule(name: string): string | undefined {
    return this.network.interfaces().find((it) => it.name === name)?.rule;
  }

  #takeChanges(): ReadonlySet<number> | undefined {
    const changed = this.#changed;
    this.#changed = new Set();
    return this.#isLossy && changed.size > 0 ? undefined : changed;
  }

  #with<T>(index: number, look: (nic: Nic) => T): T | undefined {
    const nic = this.nics.find((it) => it.index === index);
    return nic && look(nic);
  }

  #read(): string {
    this.readings++;
    return this.text ?? this.nics.map(({ name, bytes }) => lineOf(name, bytes)).join("");
  }
}

function bytesOf(bytes: number) {
  return { receivedBytes: bytes, sentBytes: bytes };
}

function lineOf(name: string, bytes: number): string {
  return `${name}: ${bytes} 0 0 0 0 0 0 0 ${bytes} 0 0 0 0 0 0 0\n`;
}

/** As netlink tells. */
function linkOf({ name, index, kind, master }: Nic): InterfaceTraits & { name: string } {
  return {
    ...{ name, index },
    kind: kind === "card" || kind === "other" ? undefined : kind,
    hasDevice: kind === "card",
    isBridgePort: master?.kind === "bridge",
    isDeviceSlave: master?.kind === "card",
  };
}

/** As `/sys` shows them. */
function traitsOf(nic: Nic): InterfaceTraits | undefined {
  if (nic.kind === "other") return undefined;
  const { kind, ...traits } = linkOf(nic);
  return { ...traits, kind: kind === "veth" ? undefined : kind };
}

for (const does of ["tells of all changes", "loses changes", "gives no counters"]) {
  const when = `where netlink ${does}`;
  const options = { isLossy: does.startsWith("loses"), hasCounters: !does.startsWith("gives") };
  Deno.test(`NetworkCollector.collect() counts what passes cards and bonds exactly once, ${when}`, () => {
    const what = ["pass", "swap", "join", "leave", "anew", "bond", "unbond", "report"] as const;
    const action = fc.tuple(fc.constantFrom(...what), fc.nat(3), fc.nat(1_000_000));
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        using time = new FakeTime();
        const kernel = new Kernel(time, options);
        const cards = Array.from({ length: 4 }, (_, at) => kernel.make(`eth${at}`, 1_000));
        let bond: Nic | undefined;
        kernel.step();
        for (const [what, card, bytes] of actions) {
          const [nic, other] = [cards[card], cards[(card + 1) % cards.length]];
          assert(nic && other);
          // What passes between a report and a removal is nobody's to know.
          if (what === "report" || what === "anew" || what === "unbond") kernel.step();
          if (what === "pass") kernel.pass(nic, bytes);
          if (what === "swap") kernel.swap(nic, other);
          if (what === "join" && bond && !nic.master) kernel.join(nic, bond);
          if (what === "leave") kernel.join(nic, undefined);
          if (what === "bond") bond ??= kernel.make("bond0", 0, "bond");
          if (what === "unbond" && bond) bond = void kernel.remove(bond);
          if (what === "anew") {
            kernel.remove(nic);
            cards[card] = kernel.make(nic.name, bytes % 100);
          }
        }
        assertEquals(kernel.step()[0], kernel.passed);
        assertEquals(kernel.step(), [kernel.passed, 0]);
      }),
      { numRuns: 300 },
    );
  });
}

timed.test("NetworkCollector.collect() counts what passes while it is no part of an adapter", (time) => {
  const kernel = new Kernel(time);
  const adapter = kernel.make("eth1", 0);
  const eth0 = kernel.make("eth0", 100);
  kernel.step();
  kernel.pass(eth0, 40);
  kernel.join(eth0, adapter);
  assertEquals(kernel.step(), [140, 40]);
  kernel.pass(eth0, 7);
  assertEquals(kernel.step(), [140, 0]);
  // It goes on from its counters of that time.
  kernel.join(eth0, undefined);
  assertEquals(kernel.step(), [140, 0]);
  kernel.pass(eth0, 3);
  assertEquals(kernel.step(), [143, 3]);
});

timed.test("NetworkCollector.collect() follows single changes among hundreds without net/dev", (time) => {
  const kernel = new Kernel(time);
  const eth0 = kernel.make("eth0", 1_000);
  for (let at = 0; at < 120; at++) kernel.make(`veth${at}`, 0, "veth");
  kernel.step();
  kernel.readings = 0;
  for (let second = 0; second < 20; second++) {
    const veth = kernel.make("veth-new", 9_000, "veth");
    kernel.pass(eth0, 10);
    assertEquals(kernel.step(), [1_010 + 10 * second, 10]);
    kernel.remove(veth);
  }
  const wwan0 = kernel.make("wwan0", 70);
  assertEquals(kernel.step()[0], 1_270);
  kernel.remove(wwan0);
  assertEquals([kernel.step()[0], kernel.readings], [1_270, 0]);
  // One that goes while it is asked is looked for in net/dev.
  kernel.nics = kernel.nics.filter((it) => it !== eth0);
  assertEquals([kernel.step()[0], kernel.readings], [1_270, 1]);
});

Deno.test("NetworkCollector.collect() follows new interfaces by /sys, and after the seal keeps to what it saw", () => {
  for (const isSealed of [false, true]) {
    using time = new FakeTime();
    const kernel = new Kernel(time, { hasLinks: false });
    const bond = kernel.make("bond0", 1_100, "bond");
    const eth0 = kernel.make("eth0", 1_000, "card", bond);
    assertEquals(kernel.step(), [1_000, undefined]);
    kernel.isSealed = isSealed;
    kernel.make("veth1", 9_000, "veth");
    const eth1 = kernel.make("eth1", 50, "card", bond);
    kernel.pass(eth0, 7);
    assertEquals(kernel.step(), [1_057, 7]);
    // What comes after the seal is judged by its name.
    assertEquals(kernel.rule("bond0"), "virtual: kind bond");
    assertEquals(kernel.rule("eth1"), isSealed ? "by name: kind unknown" : "has a device");
    kernel.remove(eth1);
    kernel.pass(eth0, 5);
    assertEquals(kernel.step(), [1_062, 5]);
  }
});

timed.test("NetworkCollector.collect() skips and names a malformed line, and throws where all are", (time) => {
  const kernel = new Kernel(time, { isLossy: true });
  const eth0 = kernel.make("eth0", 100);
  const read = (text: string | undefined) => {
    kernel.text = text;
    kernel.rename(eth0, "eth0");
    return [kernel.step()[0], kernel.network.missingPart()?.message];
  };
  const odd = "eth0:1: 3 0 0 0 0 0 0 0 4";
  const problem = `Cannot parse net/dev: "${odd}"`;
  assertEquals(read(`${lineOf("eth0", 100)}${odd}\neth0:2: 3\n`), [100, problem]);
  assertThrows(() => read(`${odd}\n`), SyntaxError, odd);
  eth0.bytes += 50;
  assertEquals(read(undefined), [150, undefined]);
});

timed.test("NetworkCollector.missingPart() names an interface of unknown kind that counts beside others", (time) => {
  const kernel = new Kernel(time, { hasLinks: false });
  kernel.make("eth0", 100);
  kernel.step();
  assertEquals(kernel.network.missingPart(), undefined);
  const odd = kernel.make("brück0", 10, "other");
  for (let report = 0; report < 2; report++) kernel.step();
  const words = 'Cannot tell what "brück0" is: it counts by its name';
  assertEquals(kernel.network.missingPart()?.message, words);
  kernel.remove(odd);
  kernel.step();
  assertEquals(kernel.network.missingPart(), undefined);
});
