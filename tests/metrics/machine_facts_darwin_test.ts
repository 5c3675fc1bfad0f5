import { darwinBootId, darwinFacts } from "../../lib/metrics/machine_facts_darwin.ts";
import { same } from "../cases.ts";
import { assertDataEquals } from "./assert_data.ts";

const core = { user: 1, nice: 0, sys: 0, idle: 1, irq: 0 };
const facts = (sysctl: string, cores = [core]) =>
  darwinFacts({ arch: "aarch64", cores: () => cores }, sysctl);

Deno.test("darwinFacts() reads sysctl, leaves out unknown facts, and falls back to node:os for cores", () => {
  const about = { arch: "arm64", osName: "macOS" };
  assertDataEquals(
    facts(
      "hw.logicalcpu: 12\nhw.physicalcpu: 8\nkern.hv_vmm_present: 0\nhw.model: Mac14,6\n" +
        "kern.osproductversion: 15.1\nkern.osrelease: 24.1.0\n" +
        "machdep.cpu.brand_string: Apple M2 Max\n",
    ),
    {
      ...{ ...about, osName: "macOS 15.1", cpuName: "Apple M2 Max", gpuName: "Apple M2 Max" },
      ...{ logicalCores: 12, physicalCores: 8, kernelVersion: "24.1.0", virtualization: "none" },
    },
  );
  for (const text of ["", "hw.logicalcpu: many\nhw.physicalcpu: 0\nkern.osrelease: \n"]) {
    assertDataEquals(facts(text), { ...about, logicalCores: 1 });
  }
  assertDataEquals(facts("", []), about);
});

Deno.test("darwinFacts() knows the GPU of Apple silicon alone, and the hypervisor by the model", async () => {
  await same((name) => facts(`machdep.cpu.brand_string: ${name}\n`).gpuName, [
    ["Intel(R) Core(TM) i5-8500B CPU @ 3.00GHz", undefined],
    ["Apple processor", undefined],
    ["Apple M1 (Virtual)", undefined],
  ]);
  const of = (model: string) => `hw.model: ${model.slice(2)}\nkern.hv_vmm_present: ${model[0]}\n`;
  await same((model) => facts(of(model)).virtualization, [
    ["1 VMware20,1", "vmware"],
    ["1 Parallels18,1", "parallels"],
    ["1 VirtualMac2,1", "apple"],
    ["1 iMacPro1,1", "vm-other"],
    ["0 VMware20,1", "none"],
  ]);
  await same(darwinBootId, [
    ["kern.bootsessionuuid: 0B4C7E6A-5D1F\n", "0b4c7e6a-5d1f"],
    ["", ""],
    ["kern.bootsessionuuid: \n", ""],
    ["kern.bootsessionuuid: ../x\n", ""],
  ]);
});
