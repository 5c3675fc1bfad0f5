import { assertEquals } from "@std/assert";
import { type CpuFacts, cpuFacts } from "../../lib/collect/cpu_facts.ts";
import { parseCpuinfo } from "../../lib/parse/cpuinfo.ts";
import { paperHost } from "./paper_host.ts";

const CORTEX_A72 = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n";
const ARM_V7 = `processor\t: 0\nmodel name\t: ARMv7 Processor rev 4 (v7l)\n`;

function facts(cpuinfo: string, files: Record<string, string> = {}): CpuFacts {
  return cpuFacts(paperHost(files), parseCpuinfo(cpuinfo));
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
  assertEquals(cpuFacts(paperHost({}), undefined), {});
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
