import { assertEquals, assertGreaterOrEqual } from "@std/assert";
import { LocalHost } from "../../lib/host/local_host.ts";
import { machineFacts } from "../../lib/metrics/machine_facts.ts";
import { fakeHost } from "./fake_host.ts";

Deno.test("machineFacts() describes a captured machine", () => {
  const root = "tests/fixtures/docker-kvm";
  const host = new LocalHost({ proc: `${root}/proc`, sys: `${root}/sys`, root });
  assertEquals(machineFacts(host, { arch: "x86_64" }), {
    arch: "amd64",
    cpuName: "AMD EPYC",
    logicalCores: 2,
    physicalCores: 2,
    osName: "Debian GNU/Linux 12 (bookworm)",
    kernelVersion: "6.18.44",
    virtualization: "docker",
  });
});

Deno.test("machineFacts() describes a board on arm64", () => {
  const host = fakeHost({
    "/proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n",
    "/proc/stat": "cpu  1 1 1 1\ncpu0 1 1 1 1\n",
    "/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "/proc/sys/kernel/osrelease": "6.1.21-v8+\n",
    "/sys/class/drm/card0/device/uevent": "DRIVER=v3d\n",
    "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
  });
  assertEquals(machineFacts(host, { arch: "aarch64" }), {
    arch: "arm64",
    cpuName: "Raspberry Pi 4 Model B Rev 1.4",
    logicalCores: 1,
    gpuName: "Broadcom VideoCore",
    osName: "Debian GNU/Linux 12 (bookworm)",
    kernelVersion: "6.1.21-v8+",
    virtualization: "none",
  });
});

Deno.test("machineFacts() leaves out everything that an empty machine does not tell", () => {
  assertEquals(machineFacts(fakeHost({}), { arch: "riscv64" }), { arch: "riscv64" });
});

Deno.test({
  name: "machineFacts() describes the machine that the test runs on",
  ignore: Deno.build.os !== "linux",
  fn() {
    const facts = machineFacts(new LocalHost(), { arch: Deno.build.arch });
    // The runtime counts only the cores that it may use.
    assertGreaterOrEqual(facts.logicalCores, navigator.hardwareConcurrency);
    assertEquals(facts.kernelVersion, Deno.osRelease());
  },
});
