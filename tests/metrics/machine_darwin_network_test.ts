import { assertEquals } from "@std/assert";
import { NetworkCollector } from "../../lib/metrics/network.ts";
import { darwinInterfaceTraits } from "../../lib/metrics/machine_darwin.ts";
import { PolledCommand } from "../../lib/metrics/polled_command.ts";
import { parseNetstatIb } from "../../lib/parse/netstat_ib.ts";
import { FakeTime } from "../fake_time.ts";
import { rated } from "./rated.ts";

const HEADING = "Name Mtu Network Address Ipkts Ierrs Ibytes Opkts Oerrs Obytes Coll\n";
const rows = (received: number, sent: number) =>
  `${HEADING}lo0 16384 <Link#1> 1 0 999 1 0 999 0\nen0 1500 <Link#4> 1 0 ${received} 1 0 ${sent} 0\n`;

async function trafficOf(globs = { include: [], exclude: [] }) {
  const state = { text: rows(1_000, 100) };
  const netstat = new PolledCommand(() => Promise.resolve(state.text));
  await netstat.refresh();
  const traffic = new NetworkCollector(netstat, darwinInterfaceTraits, {
    globs,
    readAtMs: () => netstat.atMs,
    parse: parseNetstatIb,
  });
  return { state, netstat, traffic };
}

Deno.test("NetworkCollector.collect() has rates between the last two outputs of a Mac", async () => {
  using time = new FakeTime();
  const { state, netstat, traffic } = await trafficOf();
  const look = rated(traffic);
  assertEquals(look(), { receivedBytes: 1_000, sentBytes: 100 });
  time.tick(2_000 - performance.now());
  state.text = rows(5_000, 300);
  await netstat.refresh();
  const expected = {
    receivedBytes: 5_000,
    sentBytes: 300,
    receivedBytesPerSecond: 2_000,
    sentBytesPerSecond: 100,
  };
  assertEquals(look(), expected);
  time.tick(2_500 - performance.now());
  assertEquals(look(), expected, "the same output once more is no interval without traffic");
  assertEquals(traffic.total.bytes(), { receivedBytes: 5_000, sentBytes: 300 });
});

const table = Object.entries({
  device: ["en0", "en12", "fw0"],
  tunnel: ["utun3", "gif0", "stf0", "ipsec0", "feth1"],
  bridge: ["bridge0", "bridge100"],
  stacked: ["awdl0", "llw0", "ap1", "anpi2", "vlan0", "bond0"],
  none: ["lo0", "ppp0", "en", "open0", "vmnet8", "xen0"],
});
for (const [kind, names] of table) {
  Deno.test(`darwinInterfaceTraits() tells ${kind} of ${names.join(", ")}`, () => {
    for (const name of names) {
      const { device, tunnel, bridge, stacked, bond, bondSlave } = darwinInterfaceTraits(name);
      const found = Object.entries({ device, tunnel, bridge, stacked, bond, bondSlave })
        .filter(([, is]) => is).map(([trait]) => trait);
      assertEquals(found, kind === "none" ? [] : [kind], name);
    }
  });
}

Deno.test("darwinInterfaceTraits() knows drivers by the names of their interfaces", () => {
  const drivers: Record<string, readonly string[]> = {
    device: ["en", "fw"],
    bridge: ["bridge"],
    tunnel: ["utun", "ipsec", "gif", "stf", "tun", "tap", "feth"],
    stacked: ["awdl", "llw", "ap", "p2p", "anpi", "vlan", "bond"],
  };
  for (const [kind, names] of Object.entries(drivers)) {
    for (const name of names) {
      const { device, bridge, tunnel, stacked } = darwinInterfaceTraits(`${name}10`);
      const is = Object.entries({ device, bridge, tunnel, stacked }).filter(([, it]) => it);
      assertEquals(is.map(([it]) => it), [kind], name);
    }
  }
});
