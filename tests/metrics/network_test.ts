import { assertEquals, assertThrows } from "@std/assert";
import type { Source } from "../../lib/host/host.ts";
import {
  type InterfaceTraits,
  NO_TRAITS,
  readInterfaceTraits,
} from "../../lib/host/interface_traits.ts";
import type { InterfaceGlobs } from "../../lib/metrics/interface_filter.ts";
import { type LookupTraits, NetworkCollector } from "../../lib/metrics/network.ts";
import { FakeTime, timed } from "../fake_time.ts";
import { fakeHost } from "./fake_host.ts";
import { rated } from "./rated.ts";
import { networkOf } from "./network_of.ts";

const VIRTUAL: InterfaceTraits = NO_TRAITS;
const DEVICE: InterfaceTraits = { ...VIRTUAL, device: true };

/** Received bytes of each interface; as many are sent. */
type Counters = Record<string, number>;

class Machine {
  counters: Counters | undefined;
  text: string | undefined;
  readonly asked: string[] = [];
  readonly network: NetworkCollector;
  readonly #look: ReturnType<typeof rated>;

  readonly #time: FakeTime;

  constructor(
    time: FakeTime,
    counters: Counters,
    traits: LookupTraits,
    globs: Partial<InterfaceGlobs> = {},
  ) {
    this.#time = time;
    this.counters = counters;
    const source: Source = { read: () => this.#read() };
    const ask: LookupTraits = (name) => {
      this.asked.push(name);
      return traits(name);
    };
    this.network = new NetworkCollector(source, ask, {
      globs: { include: [], exclude: [], ...globs },
    });
    this.#look = rated(this.network);
  }

  /** One second later: total and speed of what was received. */
  step(counters?: Counters): [total: number, speed: number | undefined] | undefined {
    if (counters) this.counters = counters;
    this.#time.tick(1_000);
    const traffic = this.#look();
    return traffic && [traffic.receivedBytes, traffic.receivedBytesPerSecond];
  }

  counted(): string[] {
    return this.network.interfaces().filter(({ counted }) => counted).map(({ name }) => name);
  }

  #read(): string | undefined {
    if (this.text !== undefined || this.counters === undefined) return this.text;
    const lines = Object.entries(this.counters).map(([name, bytes]) =>
      `  ${name}: ${bytes} 0 0 0 0 0 0 0 ${bytes} 0 0 0 0 0 0 0\n`
    );
    return lines.join("");
  }
}

function named(traits: Record<string, InterfaceTraits>): LookupTraits {
  return (name) => traits[name] ?? VIRTUAL;
}

timed.test("NetworkCollector.collect() counts a tunnel only where it is the only link", (time) => {
  const tunnel: InterfaceTraits = { ...VIRTUAL, tunnel: true };
  const traits = named({ tap0: tunnel, tun0: tunnel });
  const rootless = new Machine(time, { lo: 1, tap0: 70, tun0: 60 }, traits);
  assertEquals(rootless.step(), [70, undefined]);
  assertEquals(rootless.counted(), ["tap0"]);
  assertEquals(rootless.step({ lo: 1, tap0: 75, tun0: 64 }), [75, 5]);
  // What has passed it so far had passed the other one.
  assertEquals(rootless.step({ lo: 1, tun0: 65 })?.[0], 75);
  assertEquals(rootless.counted(), ["tun0"]);
  assertEquals(rootless.step({ lo: 1, tun0: 67 })?.[0], 77);

  const container = new Machine(time, { lo: 1, tun0: 60, eth0: 70 }, traits);
  container.step();
  assertEquals(container.counted(), ["eth0"]);
  container.step({ lo: 1, tap0: 5, eth0: 70 });
  assertEquals(container.counted(), ["eth0"]);

  const idleHost = new Machine(time, { tun0: 60, eth0: 0 }, named({ tun0: tunnel, eth0: DEVICE }));
  idleHost.step();
  assertEquals(idleHost.counted(), ["eth0"]);
});

timed.test("NetworkCollector.collect() takes no tunnel for the only link where its carrier is excluded", (time) => {
  const traits = named({ tun0: { ...VIRTUAL, tunnel: true } });
  const counters = { lo: 1, eth0: 70, tun0: 60 };
  const carried = new Machine(time, counters, traits, { exclude: ["eth*"] });
  carried.step();
  assertEquals(carried.counted(), []);
  // What is excluded is no link: it would not count anyway.
  const alone = new Machine(time, { docker0: 5, tun0: 60 }, traits, { exclude: ["docker*"] });
  alone.step();
  assertEquals(alone.counted(), ["tun0"]);
});

timed.test("NetworkCollector.collect() counts a dial-up link over a modem, not one inside another interface", (time) => {
  const modem = new Machine(time, { eth0: 0, ppp0: 7 }, named({ eth0: DEVICE }));
  assertEquals(modem.step(), [7, undefined]);
  const dsl = new Machine(time, { ppp0: 7, eth0: 100 }, named({ eth0: DEVICE }));
  assertEquals(dsl.step(), [100, undefined]);
  // Sessions and the port of its program tell more than the name.
  const ppp = (sessions: number, serial: boolean) => ({ ...VIRTUAL, ppp: { sessions, serial } });
  const counters = { ppp0: 7, eth0: 100 };
  const both = (ppp0: typeof VIRTUAL) => new Machine(time, counters, named({ eth0: DEVICE, ppp0 }));
  assertEquals(both(ppp(0, true)).step(), [107, undefined]);
  assertEquals(both(ppp(1, false)).step(), [100, undefined]);
  const unknown = both(ppp(0, false));
  assertEquals(unknown.step(), [100, undefined]);
  assertEquals(
    unknown.network.missingPart()?.message,
    'Cannot tell what carries "ppp0": it does not count',
  );
  const beside = new Machine(
    time,
    { ppp0: 7, ppp1: 5, eth0: 100 },
    named({ eth0: DEVICE, ppp0: ppp(1, true), ppp1: ppp(1, false) }),
  );
  assertEquals(beside.step(), [107, undefined]);
  assertEquals(beside.network.missingPart(), undefined);
  // Neither another modem nor what does not count carries a link's bytes.
  const modems = new Machine(time, { eth0: 0, ppp0: 7, ppp1: 5 }, named({ eth0: DEVICE }));
  assertEquals(modems.step(), [12, undefined]);
  const docker = new Machine(time, { eth0: 0, docker0: 50, ppp0: 7 }, named({ eth0: DEVICE }));
  assertEquals(docker.step(), [7, undefined]);
});

timed.test("NetworkCollector.collect() looks up an interface once while nothing changes", (time) => {
  const traits = named({ eth0: DEVICE, bond0: { ...VIRTUAL, bond: true } });
  const machine = new Machine(time, { lo: 1, eth0: 10, bond0: 20, veth1: 5 }, traits);
  for (let second = 0; second < 10; second++) machine.step();
  assertEquals(machine.asked, ["eth0", "bond0", "veth1"]);
  machine.step({ ...machine.counters, veth2: 6 });
  for (let second = 0; second < 10; second++) machine.step();
  assertEquals(machine.asked.slice(3), ["veth2", "eth0", "bond0", "eth0", "bond0"]);
  assertEquals([...machine.network.total.counters().keys()], ["eth0", "bond0"]);
});

timed.test("NetworkCollector.collect() counts a bridge port only without an uplink", (time) => {
  const port = { ...VIRTUAL, bridgePort: true };
  const bridged = named({ guest: port, lan: { ...VIRTUAL, bridge: true }, eth0: port });
  const counters = { guest: 1_000, lan: 100, eth0: 10 };
  const machine = new Machine(time, counters, bridged);
  assertEquals(machine.step(), [10, undefined]);
  assertEquals(machine.counted(), ["eth0"]);
  assertEquals(new Machine(time, { guest: 1_000, lan: 100 }, bridged).step(), [1_000, undefined]);
  // A card in a bridge counts, whatever its name, and before links that it may carry.
  const card = named({ guest: { ...port, device: true }, lan: { ...VIRTUAL, bridge: true } });
  assertEquals(new Machine(time, { guest: 1_000, lan: 100 }, card).step(), [1_000, undefined]);
  assertEquals(new Machine(time, { ppp0: 900, guest: 1_000 }, card).step(), [1_000, undefined]);
});

timed.test("NetworkCollector.collect() notices that a port has left its bridge", (time) => {
  const port = { ...VIRTUAL, bridgePort: true };
  const traits = { guest: port, eth0: port, lan: { ...VIRTUAL, bridge: true } };
  let hasChanged = false;
  const text = ["guest", "eth0", "lan"].map((name) => `${name}:${" 9".repeat(16)}\n`).join("");
  const network = networkOf(() => text, named(traits), {
    hasChanged: () => hasChanged && !(hasChanged = false),
  });
  const counted = () => {
    network.collect();
    return network.interfaces().filter((it) => it.counted).map(({ name }) => name);
  };
  assertEquals(counted(), ["eth0"]);
  traits.guest = { ...VIRTUAL, bridgePort: false };
  hasChanged = true;
  assertEquals(counted(), ["guest", "eth0"]);
  // It joins another one, of which the kernel's files tell a little later.
  hasChanged = true;
  assertEquals(counted(), ["guest", "eth0"]);
  traits.guest = port;
  time.tick(5_000);
  assertEquals(counted(), ["eth0"]);
});

timed.test("NetworkCollector.collect() looks at a port again when its bridge has gone, and once more later", (time) => {
  const port = { ...VIRTUAL, bridgePort: true };
  const traits = { guest: port, eth0: port, lan: { ...VIRTUAL, bridge: true } };
  const machine = new Machine(time, { guest: 9, eth0: 9, lan: 9 }, named(traits));
  machine.step();
  assertEquals(machine.counted(), ["eth0"]);
  machine.asked.length = 0;
  // The kernel removes the bridge first, and tells of its ports a little later.
  for (let second = 0; second < 5; second++) machine.step({ guest: 9, eth0: 9 });
  assertEquals([machine.asked, machine.counted()], [["guest", "eth0"], ["eth0"]]);
  traits.guest = { ...VIRTUAL, bridgePort: false };
  machine.step();
  assertEquals(machine.counted(), ["guest", "eth0"]);
  assertEquals(machine.asked, ["guest", "eth0", "guest", "eth0"]);
});

timed.test("NetworkCollector.collect() waits no longer for an interface that has gone undecided", (time) => {
  const machine = new Machine(time, { lo: 1, slow0: 5 }, () => new Promise(() => {}));
  assertEquals(machine.step(), undefined);
  assertEquals(machine.step({ lo: 1 }), [0, undefined]);
});

timed.test("NetworkCollector.missingPart() ends when it is known what an interface is", (time) => {
  const traits: Record<string, InterfaceTraits> = { eth0: DEVICE };
  const counters = { eth0: 1, odd0: 2 };
  const machine = new Machine(time, counters, (name) => traits[name]);
  machine.step();
  assertEquals(
    machine.network.missingPart()?.message,
    'Cannot tell what "odd0" is: it counts by its name',
  );
  traits.odd0 = DEVICE;
  traits.bond0 = { ...VIRTUAL, bond: true };
  for (let second = 0; second < 6; second++) machine.step({ ...counters, bond0: 3 });
  assertEquals(machine.network.missingPart(), undefined);
});

timed.test("NetworkCollector.collect() throws on malformed text and recovers", (time) => {
  const machine = new Machine(time, { eth0: 5 }, named({ eth0: DEVICE }));
  machine.step();
  machine.text = "eth0: malformed\n";
  assertThrows(() => machine.step(), SyntaxError, '"eth0: malformed"');
  machine.text = undefined;
  assertEquals(machine.step({ eth0: 25 }), [25, 10]);
});

Deno.test("NetworkCollector.collect() reads three times at most while interfaces change", () => {
  let reads = 0;
  let changes = 0;
  const read = () => {
    reads++;
    return `eth0:${" 7".repeat(16)}\n`;
  };
  let finds = 0;
  const network = networkOf(read, () => DEVICE, {
    hasChanged: () => changes-- > 0,
    find: () => void finds++,
  });
  changes = 3;
  assertEquals([network.collect()?.receivedBytes, reads], [7, 3]);
  changes = 100;
  reads = 0;
  assertEquals([network.collect()?.receivedBytes, reads], [7, 3]);
  // They may have changed once more since the last look at them.
  [changes, finds] = [0, 0];
  network.collect();
  assertEquals(finds, 1);
  network.collect();
  assertEquals(finds, 1);
});

timed.test("NetworkCollector.collect() keeps its decision on a dial-up link when others are decided anew", (time) => {
  const traits = named({ eth0: DEVICE, bond0: { ...VIRTUAL, bond: true } });
  const machine = new Machine(time, { eth0: 0, ppp0: 7 }, traits);
  assertEquals(machine.step(), [7, undefined]);
  for (let second = 0; second < 8; second++) machine.step({ eth0: 50, ppp0: 9, bond0: 0 });
  assertEquals(machine.counted(), ["eth0", "ppp0", "bond0"]);
});

timed.test("NetworkCollector.collect() looks up nothing twice where interfaces are included by name", (time) => {
  const traits = named({ eth0: DEVICE, bond0: { ...VIRTUAL, bond: true } });
  const machine = new Machine(time, { eth0: 5 }, traits, { include: ["eth*"] });
  machine.step();
  for (let second = 0; second < 8; second++) machine.step({ eth0: 5, bond0: 0, eth1: 1 });
  for (let second = 0; second < 8; second++) machine.step({ eth0: 5 });
  assertEquals(machine.asked, ["eth0", "bond0", "eth1"]);
});

timed.test("NetworkCollector.collect() looks once more at a new bridge's ports, which join it later", (time) => {
  const traits: Record<string, InterfaceTraits> = { lan: { ...VIRTUAL, bridge: true } };
  const machine = new Machine(time, { eth0: 9, guest: 9 }, named(traits));
  machine.step();
  assertEquals(machine.counted(), ["eth0", "guest"]);
  machine.step({ eth0: 9, guest: 9, lan: 9 });
  traits.guest = traits.eth0 = { ...VIRTUAL, bridgePort: true };
  for (let second = 0; second < 6; second++) machine.step();
  assertEquals(machine.counted(), ["eth0"]);
});

Deno.test("NetworkCollector.collect() counts a card that leaves another one which carries it", () => {
  const traits = { eth0: DEVICE, enP1: { ...DEVICE, deviceSlave: true, master: "eth0" } };
  let hasChanged = false;
  const text = ["eth0", "enP1"].map((name) => `${name}:${" 9".repeat(16)}\n`).join("");
  const network = networkOf(() => text, named(traits), {
    hasChanged: () => hasChanged && !(hasChanged = false),
    find: (name) => name === "eth0" ? 2 : 3,
  });
  const counted = () => {
    network.collect();
    return network.interfaces().filter((it) => it.counted).map(({ name }) => name);
  };
  assertEquals(counted(), ["eth0"]);
  [traits.enP1, hasChanged] = [{ ...DEVICE, deviceSlave: false, master: "" }, true];
  assertEquals(counted(), ["eth0", "enP1"]);
});

timed.test("NetworkCollector.collect() counts the others when a line is malformed, and names it", (time) => {
  const machine = new Machine(time, { eth0: 100 }, named({ eth0: DEVICE }));
  const odd = "eth0:1: 3 0 0 0 0 0 0 0 4";
  machine.text = `eth0: 100 0 0 0 0 0 0 0 100\n${odd}\neth0:2: 3\n`;
  assertEquals(machine.step(), [100, undefined]);
  assertEquals(machine.network.missingPart()?.message, `Cannot parse net/dev: "${odd}"`);
  machine.text = `${odd}\n`;
  assertThrows(() => machine.step(), SyntaxError, odd);
  machine.text = "eth0: 150 0 0 0 0 0 0 0 150\n";
  assertEquals(machine.step()?.[0], 150);
  assertEquals(machine.network.missingPart(), undefined);
});

timed.test("NetworkCollector.missingPart() names an interface of unknown kind that counts", (time) => {
  const traits: LookupTraits = (name) => name === "eth0" ? DEVICE : undefined;
  const machine = new Machine(time, { eth0: 100 }, traits);
  machine.step();
  assertEquals(machine.network.missingPart(), undefined);
  machine.step({ eth0: 100, "brück0": 10 });
  const expected = 'Cannot tell what "brück0" is: it counts by its name';
  assertEquals(machine.network.missingPart()?.message, expected);
  machine.step();
  assertEquals(machine.network.missingPart()?.message, expected);
  machine.step({ eth0: 100 });
  assertEquals(machine.network.missingPart(), undefined);
});

timed.test("NetworkCollector.collect() continues with an interface that is renamed", (time) => {
  const indexes: Record<string, number> = { eth0: 2, lan0: 2, usb0: 3 };
  const machine = new Machine(
    time,
    { eth0: 5_000 },
    (name) => ({ ...DEVICE, index: indexes[name] }),
  );
  assertEquals(machine.step(), [5_000, undefined]);
  assertEquals(machine.step({ lan0: 5_010 }), [5_010, 0]);
  assertEquals(machine.step({ lan0: 5_030 }), [5_030, 20]);
  assertEquals(machine.counted(), ["lan0"]);
  // Another index is another interface, which adds all that it has.
  assertEquals(machine.step({ usb0: 6_000 }), [11_030, 0]);
});

timed.test("NetworkCollector.collect() counts a bond once where only proc tells of it", (time) => {
  const host = fakeHost({
    "/host/proc/1/net/bonding/bond0": "Slave Interface: eth0\n\nSlave Interface: eth1\n",
    "/host/proc/1/net/vlan/config": "mgmt           | 10  | bond0\n",
  });
  const roots = { ...host.roots, proc: "/host/proc" };
  const traits: LookupTraits = (name) => readInterfaceTraits({ ...host, roots }, name);
  const machine = new Machine(time, { lo: 9, eth0: 60, eth1: 40, bond0: 100, mgmt: 20 }, traits);
  assertEquals(machine.step(), [100, undefined]);
  assertEquals(machine.counted(), ["bond0"]);
});
