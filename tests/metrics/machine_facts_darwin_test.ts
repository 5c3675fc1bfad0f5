import { darwinBootId, darwinFacts } from "../../lib/metrics/machine_facts_darwin.ts";
import { assertDataEquals } from "./assert_data.ts";

const host = { arch: "aarch64", cores: () => [{ user: 1, nice: 0, sys: 0, idle: 1, irq: 0 }] };
const facts = (sysctl: string) => darwinFacts(host, sysctl);

Deno.test("darwinFacts() reads sysctl, and the GPU of Apple silicon", () => {
  assertDataEquals(
    facts(`hw.logicalcpu: 12
hw.physicalcpu: 12
kern.hv_vmm_present: 0
hw.model: Mac14,6
kern.osproductversion: 15.1
kern.osrelease: 24.1.0
machdep.cpu.brand_string: Apple M2 Max
`),
    {
      arch: "arm64",
      osName: "macOS 15.1",
      cpuName: "Apple M2 Max",
      logicalCores: 12,
      physicalCores: 12,
      gpuName: "Apple M2 Max",
      kernelVersion: "24.1.0",
      virtualization: "none",
    },
  );
});

Deno.test("darwinFacts() leaves out unknown facts, and falls back to node:os for cores", () => {
  assertDataEquals(facts(""), { arch: "arm64", osName: "macOS", logicalCores: 1 });
  assertDataEquals(facts("hw.logicalcpu: many\nhw.physicalcpu: 0\nkern.osrelease: \n"), {
    arch: "arm64",
    osName: "macOS",
    logicalCores: 1,
  });
  assertDataEquals(darwinFacts({ ...host, cores: () => [] }, ""), {
    arch: "arm64",
    osName: "macOS",
  });
});

Deno.test("darwinFacts() has no GPU of other processors, nor of virtual ones", () => {
  const names = [
    "Intel(R) Core(TM) i5-8500B CPU @ 3.00GHz",
    "Apple processor",
    "Apple M1 (Virtual)",
  ];
  for (const name of names) {
    assertDataEquals(facts(`machdep.cpu.brand_string: ${name}\n`).gpuName, undefined, name);
  }
});

Deno.test("darwinFacts() names the hypervisor by the model", () => {
  const table = [
    ["1", "VMware20,1", "vmware"],
    ["1", "Parallels18,1", "parallels"],
    ["1", "VirtualMac2,1", "apple"],
    ["1", "iMacPro1,1", "vm-other"],
    ["0", "VMware20,1", "none"],
  ] as const;
  for (const [present, model, kind] of table) {
    const text = `hw.model: ${model}\nkern.hv_vmm_present: ${present}\n`;
    assertDataEquals(facts(text).virtualization, kind, model);
  }
});

Deno.test("darwinBootId() returns the boot id in lower case, or none", () => {
  assertDataEquals(darwinBootId("kern.bootsessionuuid: 0B4C7E6A-5D1F\n"), "0b4c7e6a-5d1f");
  for (const text of ["", "kern.bootsessionuuid: \n", "kern.bootsessionuuid: ../x\n"]) {
    assertDataEquals(darwinBootId(text), "");
  }
});
