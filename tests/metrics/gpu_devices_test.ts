import { assertEquals } from "@std/assert";
import { gpuName, listDrmGpus, listNvidiaDriverGpus } from "../../lib/metrics/gpu_devices.ts";
import { assertDataEquals } from "./assert_data.ts";
import { fakeHost } from "./fake_host.ts";

const CARDS = {
  "/sys/class/drm/card0/device/vendor": "0x1a03\n",
  "/sys/class/drm/card0/device/device": "0x2000\n",
  "/sys/class/drm/card1/device/vendor": "0x1002\n",
  "/sys/class/drm/card1/device/device": "0x744c\n",
  "/sys/class/drm/card2/device/uevent": "DRIVER=v3d\n",
  "/sys/class/drm/card3/device/uevent": "DRIVER=vc4-drm\n",
};

Deno.test("listDrmGpus() returns name and folder of each GPU, without display adapters", () => {
  assertDataEquals(listDrmGpus(fakeHost(CARDS)), [
    { name: "AMD 1002:744c", folder: "/sys/class/drm/card1/device", vendor: "1002" },
    { name: "Broadcom VideoCore", folder: "/sys/class/drm/card2/device" },
  ]);
});

Deno.test("listDrmGpus() reads the list of PCI ids once, and only for PCI devices", () => {
  let reads = 0;
  const listed = (files: Record<string, string>) => {
    const host = fakeHost(files);
    return listDrmGpus({
      ...host,
      readText(path) {
        if (path.endsWith("pci.ids")) reads++;
        return host.readText(path);
      },
    });
  };
  const list = { "/usr/share/hwdata/pci.ids": "#\n1002  A\n\t744c  Navi 31\n" };
  const second = {
    "/sys/class/drm/card4/device/vendor": "0x1002\n",
    "/sys/class/drm/card4/device/device": "0x744c\n",
  };
  assertDataEquals(listed({ ...CARDS, ...second, ...list }).map(({ name }) => name), [
    "AMD Navi 31",
    "AMD Navi 31",
    "Broadcom VideoCore",
  ]);
  // Two places are looked at, for the first of them is not there.
  assertDataEquals(reads, 2);
  listed({ "/sys/class/drm/card2/device/uevent": "DRIVER=v3d\n", ...list });
  assertDataEquals(reads, 2);
});

Deno.test("listNvidiaDriverGpus() returns slots in order, with the model where it is known", () => {
  const host = fakeHost({
    "/proc/driver/nvidia/gpus/0000:81:00.0/information": "Model: \t\t NVIDIA L4\n",
    "/proc/driver/nvidia/gpus/0000:01:00.0/information": "IRQ: 5\n",
    "/proc/driver/nvidia/gpus/0000:41:00.0/information": "Model: \t\t Unknown\nIRQ: 5\n",
  });
  assertDataEquals(listNvidiaDriverGpus(host), [
    { folder: "/sys/bus/pci/devices/0000:01:00.0" },
    { folder: "/sys/bus/pci/devices/0000:41:00.0" },
    { folder: "/sys/bus/pci/devices/0000:81:00.0", model: "NVIDIA L4" },
  ]);
  assertDataEquals(listNvidiaDriverGpus(fakeHost({})), []);
});

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

function gpuNameOf(files: Record<string, string>): string | undefined {
  return gpuName(fakeHost(files));
}

Deno.test("gpuName() returns vendor and id when the list is missing or too old", () => {
  assertEquals(gpuNameOf(card("card0", "1002", "744c")), "AMD 1002:744c");
  assertEquals(gpuNameOf({ ...card("card0", "1002", "9999"), ...LIST }), "AMD 1002:9999");
  assertEquals(gpuNameOf({ "/sys/class/drm/card0/device/vendor": "0x8086\n" }), "Intel");
});

Deno.test("gpuName() uses the list for unknown vendors", () => {
  assertEquals(
    gpuNameOf({ ...card("card0", "126f", "0750"), ...LIST }),
    "Silicon Motion, Inc. SM750",
  );
  assertEquals(gpuNameOf(card("card0", "126f", "0750")), "PCI 126f:0750");
});

Deno.test("gpuName() ignores the display adapters of virtual machines and servers", () => {
  const vendors = [
    ...["1234", "1af4", "1b36", "15ad", "1013", "1414", "1a03", "102b", "80ee", "19e5", "1ab8"],
    "5853",
  ];
  for (const vendor of vendors) {
    assertEquals(gpuNameOf({ ...card("card0", vendor, "1111"), ...LIST }), undefined, vendor);
  }
});

Deno.test("gpuName() lists several cards, equal ones by their number", () => {
  const files = {
    ...card("card0", "1a03", "2000"),
    ...card("card1", "10de", "20b0"),
    ...card("card2", "8086", "4680"),
    ...card("card3", "10de", "20b0"),
  };
  assertEquals(gpuNameOf(files), "2x NVIDIA 10de:20b0, Intel 8086:4680");
});

Deno.test("gpuName() lists cards by their numbers", () => {
  const files = { ...card("card1", "8086", "4680"), ...card("card0", "1002", "744c") };
  assertEquals(gpuNameOf(files), "AMD 1002:744c, Intel 8086:4680");
});

Deno.test("gpuName() counts cards, not their outputs", () => {
  const files = { ...card("card0", "8086", "4680"), ...card("renderD128", "8086", "4680") };
  assertEquals(gpuNameOf({ ...files, ...card("card0-HDMI-A-1", "8086", "1") }), "Intel 8086:4680");
});

Deno.test("gpuName() prefers NVIDIA's driver and counts its cards once", () => {
  const files = {
    ...nvidia("0000:01:00.0", "NVIDIA GeForce RTX 3090"),
    ...card("card0", "10de", "2204"),
    ...card("card1", "8086", "4680"),
  };
  assertEquals(gpuNameOf(files), "NVIDIA GeForce RTX 3090, Intel 8086:4680");
});

Deno.test("gpuName() falls back to PCI when NVIDIA's driver has no name", () => {
  const silent = { "/proc/driver/nvidia/gpus/0000:01:00.0/information": "IRQ: 5\n" };
  assertEquals(gpuNameOf({ ...silent, ...card("card0", "10de", "2204") }), "NVIDIA 10de:2204");
});

Deno.test("gpuName() knows makers by their PCI ids, and SoCs by their drivers", () => {
  const makers = { "1002": "AMD", "10de": "NVIDIA", "8086": "Intel", "1ed5": "Moore Threads" };
  const table = Object.entries({ ...makers, "0014": "Loongson", "1d17": "Zhaoxin" });
  for (const [vendor, maker] of table) {
    assertEquals(gpuNameOf(card("card0", vendor, "0001")), `${maker} ${vendor}:0001`);
  }
  const drivers = {
    ...{ "vc4-drm": "Broadcom VideoCore", v3d: "Broadcom VideoCore", lima: "ARM Mali" },
    ...{ panfrost: "ARM Mali", panthor: "ARM Mali", msm_dpu: "Qualcomm Adreno" },
    ...{ msm_mdp: "Qualcomm Adreno", adreno: "Qualcomm Adreno", etnaviv: "Vivante" },
    ...{ asahi: "Apple", "tegra-host1x": "NVIDIA Tegra" },
  };
  for (const [driver, name] of Object.entries(drivers)) {
    assertEquals(gpuNameOf(chip("card0", driver)), name);
  }
});

Deno.test("gpuName() counts a SoC once when display and renderer have separate drivers, and ignores malformed ids", () => {
  assertEquals(
    gpuNameOf({ ...chip("card0", "v3d"), ...chip("card1", "vc4-drm") }),
    "Broadcom VideoCore",
  );
  assertEquals(gpuNameOf({ "/sys/class/drm/version": "drm 1.1.0\n" }), undefined);
  assertEquals(gpuNameOf({ "/sys/class/drm/card0/device/vendor": "none\n" }), undefined);
  assertEquals(gpuNameOf(card("card0", "10DEX", "../..")), undefined);
});
