import { assert, assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { leadToPanel } from "./cable_lead.ts";
import { dryRun } from "./dry_run.ts";
import {
  canMakeNetworks,
  layCable,
  type Moved,
  NetworkNamespace,
  randomNet,
} from "./network_namespace.ts";
import { onlyIf } from "../../only_on.ts";

const needed = canMakeNetworks() ? "" : " (skipped: it needs root, ip, bash, veth and bridge)";

/**
 * A machine as its network sees it: `eth0` leads outside; a container is on the bridge `docker0` by
 * the port `veth7`, and what it sends outside passes all three.
 */
class Site implements Disposable {
  readonly net: string = randomNet();
  readonly #made = new DisposableStack();
  readonly outside: NetworkNamespace;
  readonly machine: NetworkNamespace;
  readonly container: NetworkNamespace;

  constructor() {
    this.outside = this.#made.use(new NetworkNamespace());
    this.machine = this.#made.use(new NetworkNamespace());
    this.container = this.#made.use(new NetworkNamespace());
  }

  /** Lays the cable by which `eth0` leads to {@linkcode outside}. */
  goOutside(): void {
    const [namespace, name] = [this.machine, "eth0"];
    layCable({ namespace, name }, { namespace: this.outside, name });
    namespace.settle(name, this.net, 2);
  }

  layOut({ bridge = "docker0", port = "veth7" } = {}): void {
    const { machine, container } = this;
    layCable({ namespace: machine, name: port }, { namespace: container, name: "eth0" });
    machine.ip("link", "add", bridge, "address", BRIDGE, "type", "bridge");
    machine.ip("link", "set", port, "master", bridge, "up");
    machine.settle(bridge, INNER, 1);
    machine.run("echo 1 >/proc/sys/net/ipv4/ip_forward");
    container.settle("eth0", INNER, 2);
    container.ip("neigh", "add", `${INNER}.1`, "lladdr", BRIDGE, "dev", "eth0");
    container.ip("route", "add", "default", "via", `${INNER}.1`);
  }

  /** From within the container to somebody outside who never answers. */
  send(count: number): void {
    this.container.send(count, `${this.net}.9`);
  }

  [Symbol.dispose](): void {
    this.#made.dispose();
  }
}

const BRIDGE = "02:00:00:00:00:01";
const INNER = "172.31.250";

/** What else a machine may have; nothing of it counts where `eth0` does. */
const BESIDE = [
  ["a bridge named as no pattern has it", "lan", ["type", "bridge"]],
  ["ifb", "ifb7", ["type", "ifb"]],
  ["dummy", "dummy7", ["type", "dummy"]],
  ["vlan", "eth0.7", ["link", "eth0", "type", "vlan", "id", "7"]],
  ["vlan named as no pattern has it", "office", ["link", "eth0", "type", "vlan", "id", "8"]],
  ["macvlan named as no pattern has it", "guests", ["link", "eth0", "type", "macvlan"]],
  ["macvtap", "macvtap7", ["link", "eth0", "type", "macvtap"]],
  ["ipvlan", "ipvlan7", ["link", "eth0", "type", "ipvlan"]],
  ["vxlan named as no pattern has it", "cloud", [
    ...["type", "vxlan", "id", "7", "dstport", "4789", "remote", "192.0.2.1", "dev", "eth0"],
  ]],
  ["vxlan over nothing", "mesh", ["type", "vxlan", "id", "9", "dstport", "4790"]],
  ["wireguard", "wg7", ["type", "wireguard"]],
  ["wireguard named as no pattern has it", "vpn", ["type", "wireguard"]],
  ["gre", "gre7", ["type", "gre", "remote", "192.0.2.1"]],
  ["xfrm named as no pattern has it", "ipsec7", ["type", "xfrm", "if_id", "7"]],
  ["vti named as no pattern has it", "tunnel7", ["type", "vti", "remote", "192.0.2.1", "key", "7"]],
  ["vrf", "red", ["type", "vrf", "table", "7"]],
  ["team", "team7", ["type", "team"]],
  ["dummy named as no pattern has it", "anycast", ["type", "dummy"]],
] as const;

const TUNNELS = [["tun", "tun7"], ["tap", "tap7"], ["tun", "home"]] as const;

/** A slave counts in place of its bond, in networks whose kernel has bonds. */
function bond({ machine, outside }: Site): boolean {
  if (!machine.takes("link", "add", "bond7", "type", "bond")) return false;
  layCable({ namespace: machine, name: "port7" }, { namespace: outside, name: "peer7" });
  machine.ip("link", "set", "port7", "master", "bond7");
  machine.settle("bond7", "172.31.251", 2);
  outside.ip("link", "set", "peer7", "up");
  machine.send(50, "172.31.251.9");
  return true;
}

function within(value: Moved, bounds: { from: Moved; to: Moved }): void {
  for (const way of ["sent", "received"] as const) {
    assertGreaterOrEqual(value[way], bounds.from[way], `${way} is too little`);
    assertGreaterOrEqual(bounds.to[way], value[way], `${way} is too much`);
  }
}

const here = onlyIf(needed === "");

here.test(`a dry run counts what passes a bridge, its port and the way out once${needed}`, async () => {
  using site = new Site();
  const { machine, outside } = site;
  site.goOutside();
  site.layOut();
  outside.settle("eth0", site.net, 1);
  const lacks: string[] = [];
  const expected = new Map([["loop7", false], ["eth0", true], ["docker0", false], [
    "veth7",
    false,
  ]]);
  for (const [kind, name, args] of BESIDE) {
    const where = args[0] === "link" ? args.slice(0, 2) : [];
    const what = args.slice(where.length);
    if (machine.takes("link", "add", ...where, "name", name, ...what)) expected.set(name, false);
    else lacks.push(kind);
  }
  for (const [mode, name] of TUNNELS) {
    if (machine.takes("tuntap", "add", name, "mode", mode)) expected.set(name, false);
    else lacks.push(mode);
  }
  machine.ip("link", "set", "lo", "down");
  machine.ip("link", "set", "lo", "name", "loop7");
  machine.ip("link", "set", "loop7", "up");
  machine.run("ping -c 2 -i 0.2 127.0.0.1");
  if (bond(site)) expected.set("port7", true).set("bond7", false);
  else lacks.push("bond");
  console.log(`live network: this kernel lacks ${lacks.join(", ") || "nothing"}`);

  site.send(300);
  outside.send(200, `${site.net}.9`);
  const counted = [...expected].filter(([, counts]) => counts).map(([name]) => name);
  const from = machine.movedBy(...counted);
  const told = await dryRun([], { through: machine.enter });
  const to = machine.movedBy(...counted);
  // Some kinds make more than was asked for, such as gre0; no such one is counted.
  const found = new Map(told.interfaces.map((it) => [it.name, it.counted]));
  for (const [name, counts] of expected) assertEquals(found.get(name), counts, name);
  assertEquals([...found].filter(([, counts]) => counts).length, counted.length);
  const { totalUp, totalDown } = told.report.network;
  within({ sent: totalUp, received: totalDown }, { from, to });
  // The same bytes did pass the bridge and its port as well.
  assertLess(300_000, machine.movedBy("veth7").received);
  assertLess(300_000, machine.movedBy("docker0").received);
  assertLess(300_000, totalUp);
  assertLess(200_000, totalDown);
});

here.test(`a dry run in a container counts its uplink, whatever its name${needed}`, async () => {
  for (
    const [uplink, ...inner] of [
      ["tun5"],
      ["br-lan"],
      ["veth7"],
      // Made before the uplink, so that it comes first.
      ["veth8", "type", "wireguard"],
      ["ppp0", "type", "veth", "peer", "name", "inner1"],
    ] as const
  ) {
    using outside = new NetworkNamespace();
    using machine = new NetworkNamespace();
    const hasInner = inner.length > 0 && machine.takes("link", "add", "inner", ...inner);
    layCable({ namespace: outside, name: "far" }, { namespace: machine, name: uplink });
    outside.ip("link", "set", "far", "up");
    machine.settle(uplink, "172.31.252", 2);
    if (hasInner) machine.settle("inner", "172.31.253", 2);
    machine.send(100, "172.31.252.9");
    const from = machine.movedBy(uplink);
    const { interfaces, report } = await dryRun([], { through: machine.enter });
    const counted = interfaces.filter((it) => it.counted).map(({ name }) => name);
    assertEquals(counted, [uplink], JSON.stringify(interfaces));
    const { totalUp: sent, totalDown: received } = report.network;
    within({ sent, received }, { from, to: machine.movedBy(uplink) });
  }
});

here.test(`a dry run in a container counts a VLAN whose card is its host's${needed}`, async () => {
  using host = new NetworkNamespace();
  using machine = new NetworkNamespace();
  layCable({ namespace: host, name: "eth0" }, { namespace: host, name: "far0" });
  host.ip("link", "set", "eth0", "up");
  host.ip("link", "set", "far0", "up");
  for (const kind of [["vlan", "id", "5"], ["macvlan"]]) {
    if (!host.takes("link", "add", "link", "eth0", "name", "eth0.5", "type", ...kind)) continue;
    host.ip("link", "set", "eth0.5", "netns", machine.name);
    machine.settle("eth0.5", "172.31.252", 2);
    machine.send(100, "172.31.252.9");
    const { interfaces, report } = await dryRun([], { through: machine.enter });
    const rules = Object.fromEntries(interfaces.map(({ name, rule }) => [name, rule]));
    assertEquals(rules["eth0.5"], `kind ${kind[0]}: no interface has a device`);
    assertLess(100_000, report.network.totalUp);
    machine.ip("link", "del", "eth0.5");
  }
});

/** The agent in the machine of a site, whose `eth0` leads to the panel. */
async function withAgent(use: (site: Site, panel: TestPanel) => Promise<void>): Promise<void> {
  using site = new Site();
  const { machine, net } = site;
  using panel = await startTestPanel({ token: "l1ve-netw0rk" });
  await using lead = leadToPanel(machine, { name: "eth0", port: panel.port, net });
  site.layOut();
  await using agent = new AgentProcess(["-e", lead.url, "-t", panel.token, "-i", "0.4"], {
    through: machine.enter,
  });
  await agent.says("First report accepted");
  await use(site, panel);
  assertEquals(panel.state.violations, []);
}

/**
 * The third report from now, or the first later one that has reached `from`: the next one may be on its
 * way, and the one after it is the first that sees a new interface, which counts once the agent has
 * asked what it is.
 */
async function nextReport({ state }: TestPanel, from?: Moved): Promise<Moved> {
  const { reports } = state.counts;
  const last = () => state.reports.at(-1)?.value.network;
  await state.until(({ counts }) => {
    const { totalUp = 0, totalDown = 0 } = last() ?? {};
    const isThere = from === undefined || (totalUp >= from.sent && totalDown >= from.received);
    return counts.reports > reports + 2 && isThere;
  });
  const network = last();
  assert(network !== undefined);
  return { sent: network.totalUp, received: network.totalDown };
}

/** A report that has all that interfaces have moved by now, and nothing twice. */
async function holds(panel: TestPanel, moved: () => Moved): Promise<Moved> {
  const from = moved();
  const report = await nextReport(panel, from);
  within(report, { from, to: moved() });
  return report;
}

/** An interface that has moved a lot in the container's network before it comes to the machine. */
function makeMuchUsed({ container }: Site, count: number): void {
  container.ip("link", "add", "eth1", "type", "veth", "peer", "name", "far1");
  container.ip("link", "set", "far1", "up");
  container.settle("eth1", "172.31.252", 2);
  container.send(count, "172.31.252.9");
}

function plus(one: Moved, other: Moved): Moved {
  return { sent: one.sent + other.sent, received: one.received + other.received };
}

here.test(`an agent counts interfaces that come later, go and return, and no total falls${needed}`, async () => {
  await withAgent(async (site, panel) => {
    const { machine, container } = site;
    /** What went by on interfaces that are gone for good. */
    let gone: Moved = { sent: 0, received: 0 };
    const all = () => plus(gone, machine.movedBy("eth0", "eth1"));
    const atFirst = await holds(panel, all);
    site.send(500);
    const sent = await holds(panel, all);
    assertLess(500_000, sent.sent - atFirst.sent);

    makeMuchUsed(site, 3000);
    const before = panel.state.counts.reports;
    container.ip("link", "set", "eth1", "netns", machine.name);
    const came = await holds(panel, all);
    assertLess(3_000_000, came.sent - sent.sent);

    const used = machine.movedBy("eth1");
    machine.ip("link", "set", "eth1", "netns", container.name);
    const left = await nextReport(panel);
    within(left, {
      from: came,
      to: plus(used, machine.movedBy("eth0")),
    });
    container.ip("link", "set", "eth1", "netns", machine.name);
    await holds(panel, all);

    machine.ip("link", "del", "eth1");
    await nextReport(panel);
    gone = used;
    makeMuchUsed(site, 1000);
    container.ip("link", "set", "eth1", "netns", machine.name);
    await holds(panel, all);

    // What an interface brings along is no speed; the agent's own reports are all that went by.
    const since = panel.state.reports.slice(before - panel.state.counts.reports);
    for (const { value } of since) assertLess(value.network.up, 1_000_000);
    let total = 0;
    for (const { value } of panel.state.reports) {
      assertGreaterOrEqual(value.network.totalUp, total);
      total = value.network.totalUp;
    }
  });
});

/** An interface of the machine to somebody outside who never answers, at a network of its own. */
function layOutside(site: Site, name: string, net: string): void {
  const far = `far${name}`;
  layCable({ namespace: site.machine, name }, { namespace: site.outside, name: far });
  site.outside.ip("link", "set", far, "up");
  site.machine.settle(name, net, 2);
}

here.test(`an agent decides again about an interface that joins a bridge${needed}`, async () => {
  await withAgent(async (site, panel) => {
    const { machine } = site;
    layOutside(site, "guest", "172.31.252");
    machine.send(1000, "172.31.252.9");
    await holds(panel, () => machine.movedBy("eth0", "guest"));
    machine.ip("addr", "flush", "dev", "guest");
    machine.ip("link", "add", "lan", "type", "bridge");
    machine.ip("link", "set", "guest", "master", "lan");
    machine.settle("lan", "172.31.253", 2);
    // It looks at ports after some seconds.
    const { reports } = panel.state.counts;
    await panel.state.until(({ counts }) => counts.reports > reports + 20);
    const before = await nextReport(panel, machine.movedBy("eth0"));
    machine.send(1000, "172.31.253.9");
    const after = await nextReport(panel);
    assertLess(1_000_000, machine.movedBy("lan").sent);
    assertLess(after.sent - before.sent, 500_000);
    const { interfaces } = await dryRun([], { through: machine.enter });
    const rule = interfaces.find(({ name }) => name === "guest")?.rule;
    assertEquals(rule, "virtual: bridge port");
  });
});

const bonds = needed || canBond() ? needed : " (skipped: this kernel has no bonds)";

function canBond(): boolean {
  using machine = new NetworkNamespace();
  return machine.takes("link", "add", "bond7", "type", "bond");
}

const withBonds = onlyIf(bonds === "");

withBonds.test(`an agent counts a bond once that is made and removed while it runs${bonds}`, async () => {
  await withAgent(async (site, panel) => {
    const { machine } = site;
    for (const name of ["eth1", "eth2"]) {
      layCable({ namespace: machine, name }, { namespace: site.outside, name: `far${name}` });
      site.outside.ip("link", "set", `far${name}`, "up");
    }
    const all = () => machine.movedBy("eth0", "eth1", "eth2");
    machine.settle("eth1", "172.31.252", 2);
    machine.send(1000, "172.31.252.9");
    await holds(panel, all);
    // A bond of one, of two, of none, and then no bond.
    machine.ip("addr", "flush", "dev", "eth1");
    machine.ip("link", "set", "eth1", "down");
    machine.ip("link", "add", "bond7", "type", "bond", "mode", "active-backup");
    machine.ip("link", "set", "eth1", "master", "bond7");
    machine.settle("bond7", "172.31.253", 2);
    machine.send(1000, "172.31.253.9");
    await holds(panel, all);
    machine.send(1000, "172.31.253.9");
    await holds(panel, all);
    machine.ip("link", "set", "eth2", "master", "bond7");
    machine.send(1000, "172.31.253.9");
    await holds(panel, all);
    const told = await dryRun([], { through: machine.enter });
    const rules = Object.fromEntries(told.interfaces.map(({ name, rule }) => [name, rule]));
    assertEquals(rules.bond7, "virtual: kind bond");
    machine.ip("link", "set", "eth1", "nomaster");
    machine.send(1000, "172.31.253.9");
    await holds(panel, all);
    machine.ip("link", "del", "bond7");
    machine.settle("eth1", "172.31.252", 2);
    machine.send(1000, "172.31.252.9");
    await holds(panel, all);
    assertLess(6_000_000, all().sent);
  });
});
