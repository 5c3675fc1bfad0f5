import { assertEquals } from "@std/assert";
import { darwinInterfaceTraits } from "../../lib/metrics/network_darwin.ts";

for (
  const [kind, names] of Object.entries({
    device: ["en0", "en12", "fw0"],
    tunnel: ["utun3", "gif0", "stf0", "ipsec0", "feth1"],
    bridge: ["bridge0", "bridge100"],
    stacked: ["awdl0", "llw0", "ap1", "anpi2", "vlan0", "bond0"],
    none: ["lo0", "ppp0", "en", "open0", "vmnet8", "xen0"],
  })
) {
  Deno.test(`darwinInterfaceTraits() tells ${kind} of ${names.join(", ")}`, () => {
    for (const name of names) {
      const { device, tunnel, bridge, stacked, bond, bondSlave } = darwinInterfaceTraits(name);
      const found = Object.entries({ device, tunnel, bridge, stacked, bond, bondSlave })
        .filter(([, is]) => is).map(([trait]) => trait);
      assertEquals(found, kind === "none" ? [] : [kind], name);
    }
  });
}
