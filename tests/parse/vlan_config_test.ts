import { assertEquals } from "@std/assert";
import { parseVlanNames } from "../../lib/parse/vlan_config.ts";

Deno.test("parseVlanNames() names VLANs, also by names that fill the column", () => {
  const text = `VLAN Dev name    | VLAN ID
Name-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD
bond0.10       | 10  | bond0
management-lan1| 4094  | eth0
`;
  assertEquals(parseVlanNames(text), ["bond0.10", "management-lan1"]);
  assertEquals(parseVlanNames(""), []);
});
