import { assertEquals } from "@std/assert";
import { gpuName } from "../../lib/metrics/gpu_devices.ts";
import { fakeHost } from "./fake_host.ts";

const LIST = {
  "/usr/share/misc/pci.ids":
    "#\n1002  Advanced Micro Devices, Inc. [AMD/ATI]\n\t744c  Navi 31 [Radeon RX 7900 XT]\n" +
    "1234  Technical Corp.\n126f  Silicon Motion, Inc.\n\t0750  SM750\n",
};

/** A graphics card in a PCI slot. */
function card(name: string, vendor: string, device: string): Record<string, string> {
  const folder = `/sys/class/drm/${name}/device`;
  return { [`${folder}/vendor`]: `0x${vendor}\n`, [`${folder}/device`]: `0x${device}\n` };
}

/** A graphics processor within a chip. */
function chip(name: string, driver: string): Record<string, string> {
  return { [`/sys/class/drm/${name}/device/uevent`]: `DRIVER=${driver}\nOF_NAME=gpu\n` };
}

function nvidia(slot: string, model: string): Record<string, string> {
  return {
    [`/proc/driver/nvidia/gpus/${slot}/information`]:
      `Model: \t\t ${model}\nIRQ:   \t\t 145\nBus Type: \t PCIe\n`,
  };
}

function nameOf(files: Record<string, string>): string | undefined {
  return gpuName(fakeHost(files));
}

Deno.test("gpuName() gives nothing when there is no card", () => {
  assertEquals(nameOf({}), undefined);
  assertEquals(nameOf({ "/sys/class/drm/version": "drm 1.1.0\n" }), undefined);
});

Deno.test("gpuName() gives the name from the list of PCI ids", () => {
  assertEquals(
    nameOf({ ...card("card0", "1002", "744c"), ...LIST }),
    "AMD Navi 31 [Radeon RX 7900 XT]",
  );
});

Deno.test("gpuName() gives the maker and the id when the list is missing or too old", () => {
  assertEquals(nameOf(card("card0", "1002", "744c")), "AMD 1002:744c");
  assertEquals(nameOf({ ...card("card0", "1002", "9999"), ...LIST }), "AMD 1002:9999");
  assertEquals(nameOf({ "/sys/class/drm/card0/device/vendor": "0x8086\n" }), "Intel");
});

Deno.test("gpuName() takes an unknown maker's name from the list", () => {
  assertEquals(nameOf({ ...card("card0", "126f", "0750"), ...LIST }), "Silicon Motion, Inc. SM750");
  assertEquals(nameOf(card("card0", "126f", "0750")), "PCI 126f:0750");
});

for (const vendor of ["1234", "1af4", "1b36", "15ad", "1013", "1414", "1a03", "102b", "80ee"]) {
  Deno.test(`gpuName() passes over a screen of vendor ${vendor}`, () => {
    assertEquals(nameOf({ ...card("card0", vendor, "1111"), ...LIST }), undefined);
  });
}

Deno.test("gpuName() lists several cards, equal ones by their number", () => {
  const files = {
    ...card("card0", "1a03", "2000"),
    ...card("card1", "10de", "20b0"),
    ...card("card2", "8086", "4680"),
    ...card("card3", "10de", "20b0"),
  };
  assertEquals(nameOf(files), "2x NVIDIA 10de:20b0, Intel 8086:4680");
});

Deno.test("gpuName() counts cards, not their outputs", () => {
  const files = { ...card("card0", "8086", "4680"), ...card("renderD128", "8086", "4680") };
  assertEquals(nameOf({ ...files, ...card("card0-HDMI-A-1", "8086", "1") }), "Intel 8086:4680");
});

Deno.test("gpuName() believes NVIDIA's driver and does not count its cards again", () => {
  const files = {
    ...nvidia("0000:01:00.0", "NVIDIA GeForce RTX 3090"),
    ...card("card0", "10de", "2204"),
    ...card("card1", "8086", "4680"),
  };
  assertEquals(nameOf(files), "NVIDIA GeForce RTX 3090, Intel 8086:4680");
});

Deno.test("gpuName() falls back to PCI when NVIDIA's driver gives no name", () => {
  const silent = { "/proc/driver/nvidia/gpus/0000:01:00.0/information": "IRQ: 5\n" };
  assertEquals(nameOf({ ...silent, ...card("card0", "10de", "2204") }), "NVIDIA 10de:2204");
});

Deno.test("gpuName() knows processors within chips by their driver", () => {
  assertEquals(
    nameOf({ ...chip("card0", "v3d"), ...chip("card1", "simple-framebuffer") }),
    "Broadcom VideoCore",
  );
});

Deno.test("gpuName() counts a chip once when display and renderer have a driver each", () => {
  assertEquals(
    nameOf({ ...chip("card0", "v3d"), ...chip("card1", "vc4-drm") }),
    "Broadcom VideoCore",
  );
});

Deno.test("gpuName() makes nothing of senseless ids", () => {
  assertEquals(nameOf({ "/sys/class/drm/card0/device/vendor": "none\n" }), undefined);
  assertEquals(nameOf(card("card0", "10DEX", "../..")), undefined);
});
