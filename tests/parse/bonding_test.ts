import { assertEquals } from "@std/assert";
import { parseBondSlaves } from "../../lib/parse/bonding.ts";

Deno.test("parseBondSlaves() names the slaves of a bond, whichever is active", () => {
  const text = `Ethernet Channel Bonding Driver: v6.1.0

Bonding Mode: fault-tolerance (active-backup)
Primary Slave: None
Currently Active Slave: eth0
MII Status: up

Slave Interface: eth0
MII Status: up
Permanent HW addr: 02:00:00:00:00:01

Slave Interface: enp1s0f1np1
MII Status: down
`;
  assertEquals(parseBondSlaves(text), ["eth0", "enp1s0f1np1"]);
  assertEquals(parseBondSlaves("Slave Interface: \n"), []);
  assertEquals(parseBondSlaves(""), []);
});
