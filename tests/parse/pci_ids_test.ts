import { assertEquals } from "@std/assert";
import { lookupPciNames } from "../../lib/parse/pci_ids.ts";

const LIST = `#
#	List of PCI ID's
#
1002  Advanced Micro Devices, Inc. [AMD/ATI]
	73bf  Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]
		1002 2204  A subsystem
# a remark
	744c  Navi 31 [Radeon RX 7900 XT/7900 XTX]
10de  NVIDIA Corporation
	2204  GA102 [GeForce RTX 3090]`;

Deno.test("lookupPciNames() finds vendor and device", () => {
  assertEquals(lookupPciNames(LIST, { vendor: "10de", device: "2204" }), {
    vendor: "NVIDIA Corporation",
    device: "GA102 [GeForce RTX 3090]",
  });
  assertEquals(
    lookupPciNames(LIST, { vendor: "1002", device: "744c" }).device,
    "Navi 31 [Radeon RX 7900 XT/7900 XTX]",
  );
});

Deno.test("lookupPciNames() ignores other vendors' devices and subsystems, and returns undefined for an unlisted vendor", () => {
  const { vendor, device } = lookupPciNames(LIST, { vendor: "1002", device: "2204" });
  assertEquals([vendor, device], ["Advanced Micro Devices, Inc. [AMD/ATI]", undefined]);
  const unknown = { vendor: undefined, device: undefined };
  assertEquals(lookupPciNames(LIST, { vendor: "8086", device: "2204" }), unknown);
  assertEquals(lookupPciNames("", { vendor: "8086", device: "2204" }), unknown);
});
