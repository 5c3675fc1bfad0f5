import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type CpuFacts, cpuFacts, withOnlineCores } from "../../lib/metrics/machine_facts.ts";
import { parseCpuinfo } from "../../lib/parse/cpuinfo.ts";
import { fakeHost } from "./fake_host.ts";

const CORTEX_A72 = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n";
const ARM_V7 = `processor\t: 0\nmodel name\t: ARMv7 Processor rev 4 (v7l)\n`;

function facts(cpuinfo: string, files: Record<string, string> = {}): CpuFacts {
  return cpuFacts(fakeHost(files), parseCpuinfo(cpuinfo));
}

Deno.test("cpuFacts() gives the processor's own name first", () => {
  const board = { "/proc/device-tree/model": "Some Board\0" };
  assertEquals(facts("model name\t: AMD EPYC\n", board).cpuName, "AMD EPYC");
});

Deno.test("cpuFacts() gives the board's name on ARM", () => {
  const board = { "/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0" };
  assertEquals(facts(CORTEX_A72, board).cpuName, "Raspberry Pi 4 Model B Rev 1.4");
  assertEquals(facts(ARM_V7, board).cpuName, "Raspberry Pi 4 Model B Rev 1.4");
});

Deno.test("cpuFacts() gives the core's name when the board has none", () => {
  assertEquals(facts(CORTEX_A72).cpuName, "Cortex-A72");
  const virtual = { "/proc/device-tree/model": "linux,dummy-virt\0" };
  assertEquals(facts(CORTEX_A72, virtual).cpuName, "Cortex-A72");
});

Deno.test("cpuFacts() names both kinds of core", () => {
  const little = CORTEX_A72.replace("0xd08", "0xd03");
  assertEquals(facts(`${little}\n${CORTEX_A72}`).cpuName, "Cortex-A53 + Cortex-A72");
});

Deno.test("cpuFacts() falls back to the instruction set's name, then to the maker's", () => {
  assertEquals(facts(ARM_V7).cpuName, "ARMv7 Processor rev 4 (v7l)");
  assertEquals(facts("vendor_id\t: GenuineIntel\n").cpuName, "GenuineIntel");
});

Deno.test("cpuFacts() leaves out what the machine does not tell", () => {
  assertEquals(facts(""), {});
  assertEquals(cpuFacts(fakeHost({}), undefined), {});
});

Deno.test("cpuFacts() counts the cores by topology when cpuinfo has none", () => {
  const cpu = "/sys/devices/system/cpu";
  const { logicalCores, physicalCores } = facts(CORTEX_A72, {
    "/proc/stat": "cpu  1 1 1 1\ncpu0 1 1 1 1\ncpu1 1 1 1 1\ncpu2 1 1 1 1\ncpu3 1 1 1 1\nintr 1\n",
    [`${cpu}/cpu0/topology/thread_siblings_list`]: "0-1\n",
    [`${cpu}/cpu1/topology/thread_siblings_list`]: "0-1\n",
    [`${cpu}/cpu2/topology/thread_siblings_list`]: "2-3\n",
    [`${cpu}/cpu3/topology/thread_siblings_list`]: "2-3\n",
    [`${cpu}/cpu4/online`]: "0\n",
    [`${cpu}/cpufreq/topology/thread_siblings_list`]: "9\n",
  });
  assertEquals([logicalCores, physicalCores], [4, 2]);
});

Deno.test("cpuFacts() never has more cores than there are threads, as in LXC on ARM", () => {
  const cpu = "/sys/devices/system/cpu";
  const { logicalCores, physicalCores } = facts(CORTEX_A72, {
    "/proc/stat": "cpu  1 1 1 1\ncpu0 1 1 1 1\n",
    [`${cpu}/cpu0/topology/thread_siblings_list`]: "0\n",
    [`${cpu}/cpu1/topology/thread_siblings_list`]: "1\n",
  });
  assertEquals([logicalCores, physicalCores], [1, 1]);
});

const S390X = `vendor_id       : IBM/S390
# processors    : 2
processor 0: version = FF,  identification = 2733E8,  machine = 3906
processor 1: version = FF,  identification = 2733E8,  machine = 3906

cpu number      : 0
physical id     : 1
core id         : 0

cpu number      : 1
physical id     : 1
core id         : 0
`;

Deno.test("cpuFacts() reads the form of s390x, with two threads of one core", () => {
  const stat = { "/proc/stat": "cpu  1 1 1 1\ncpu0 1 1 1 1\ncpu1 1 1 1 1\n" };
  assertEquals(facts(S390X, stat), {
    cpuName: "IBM/S390 3906",
    logicalCores: 2,
    physicalCores: 1,
  });
});

Deno.test("cpuFacts() counts whole numbers of cores above 0, or none, whatever the files hold", () => {
  const text = fc.string({ unit: "binary-ascii" });
  const line = fc.oneof(text, fc.constantFrom("cpu0 1 1 1 1", "physical id: 0", "core id: 1", ""));
  const file = fc.array(line).map((lines) => lines.join("\n"));
  fc.assert(fc.property(file, file, text, (cpuinfo, stat, siblings) => {
    const { logicalCores = 1, physicalCores = 1 } = facts(cpuinfo, {
      "/proc/stat": stat,
      "/sys/devices/system/cpu/cpu0/topology/thread_siblings_list": siblings,
    });
    assert(Number.isSafeInteger(physicalCores) && physicalCores > 0, `got ${physicalCores}`);
    assert(physicalCores <= logicalCores || !stat.includes("cpu0 "), `of ${logicalCores}`);
  }));
});

Deno.test("withOnlineCores() follows the threads, and has no more cores than that", () => {
  const facts = { arch: "amd64", logicalCores: 8, physicalCores: 4 };
  const stat = (count: number): string =>
    "cpu  1 1 1 1\n" + Array.from({ length: count }, (_, at) => `cpu${at} 1 1 1 1\n`).join("");
  assertEquals(withOnlineCores(facts, stat(6)), { ...facts, logicalCores: 6 });
  assertEquals(withOnlineCores(facts, stat(3)), { ...facts, logicalCores: 3, physicalCores: 3 });
  assertEquals(withOnlineCores({ arch: "amd64" }, stat(3)), { arch: "amd64", logicalCores: 3 });
  for (const text of [undefined, "", "bent"]) assertEquals(withOnlineCores(facts, text), facts);
});
