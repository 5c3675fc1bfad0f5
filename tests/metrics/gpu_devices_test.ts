import { assertEquals } from "@std/assert";
import { listDrmGpus, listNvidiaDriverGpus } from "../../lib/metrics/gpu_devices.ts";
import { fakeHost } from "./fake_host.ts";

const CARDS = {
  "/sys/class/drm/card0/device/vendor": "0x1a03\n",
  "/sys/class/drm/card0/device/device": "0x2000\n",
  "/sys/class/drm/card1/device/vendor": "0x1002\n",
  "/sys/class/drm/card1/device/device": "0x744c\n",
  "/sys/class/drm/card2/device/uevent": "DRIVER=v3d\n",
  "/sys/class/drm/card3/device/uevent": "DRIVER=vc4-drm\n",
};

Deno.test("listDrmGpus() gives each processor's name and folder, and no mere screen", () => {
  assertEquals(listDrmGpus(fakeHost(CARDS)), [
    { name: "AMD 1002:744c", folder: "/sys/class/drm/card1/device", vendor: "1002" },
    { name: "Broadcom VideoCore", folder: "/sys/class/drm/card2/device" },
  ]);
});

Deno.test("listDrmGpus() reads the long list of names once, and only for what is on the bus", () => {
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
  assertEquals(listed({ ...CARDS, ...second, ...list }).map(({ name }) => name), [
    "AMD Navi 31",
    "AMD Navi 31",
    "Broadcom VideoCore",
  ]);
  // Two places are looked at, for the first of them is not there.
  assertEquals(reads, 2);
  listed({ "/sys/class/drm/card2/device/uevent": "DRIVER=v3d\n", ...list });
  assertEquals(reads, 2);
});

Deno.test("listNvidiaDriverGpus() gives slots in their order, with the model where it is told", () => {
  const host = fakeHost({
    "/proc/driver/nvidia/gpus/0000:81:00.0/information": "Model: \t\t NVIDIA L4\n",
    "/proc/driver/nvidia/gpus/0000:01:00.0/information": "IRQ: 5\n",
  });
  assertEquals(listNvidiaDriverGpus(host), [
    { folder: "/sys/bus/pci/devices/0000:01:00.0" },
    { folder: "/sys/bus/pci/devices/0000:81:00.0", model: "NVIDIA L4" },
  ]);
  assertEquals(listNvidiaDriverGpus(fakeHost({})), []);
});
