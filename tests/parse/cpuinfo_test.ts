import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { armPartName, parseCpuinfo } from "../../lib/parse/cpuinfo.ts";
import { same } from "../cases.ts";
import { onlySyntaxErrors } from "./only_syntax_errors.ts";

const RASPBERRY_PI = `processor	: 0
BogoMIPS	: 108.00
Features	: fp asimd evtstrm crc32 cpuid
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x0
CPU part	: 0xd08
CPU revision	: 3

processor	: 1
BogoMIPS	: 108.00
Features	: fp asimd evtstrm crc32 cpuid
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x0
CPU part	: 0xd08
CPU revision	: 3

Revision	: c03114
Model		: Raspberry Pi 4 Model B Rev 1.4
`;

Deno.test("parseCpuinfo() reads a captured x86 guest", () => {
  const text = Deno.readTextFileSync("tests/fixtures/docker-kvm/proc/cpuinfo");
  assertEquals(parseCpuinfo(text), {
    modelName: "AMD EPYC",
    armParts: [],
    processors: 2,
    physicalCores: 2,
    underHypervisor: true,
  });
});

Deno.test("parseCpuinfo() counts a core once for two threads, and separately per socket", () => {
  const thread = (socket: number, core: number): string =>
    `processor\t: 0\nmodel name\t: Intel(R) Xeon(R) CPU           E5520\n` +
    `physical id\t: ${socket}\ncore id\t\t: ${core}\nflags\t\t: fpu vmx\n\n`;
  const text = thread(0, 0) + thread(0, 0) + thread(0, 8) + thread(1, 0) + thread(1, 8);
  const info = parseCpuinfo(text);
  assertEquals(info.physicalCores, 4);
  assertEquals(info.modelName, "Intel(R) Xeon(R) CPU E5520");
  assertEquals(info.underHypervisor, false);
  assertEquals(parseCpuinfo("flags\t: fpu nohypervisor hypervisors\n").underHypervisor, false);
});

Deno.test("parseCpuinfo() lists each ARM core design once", () => {
  const { armParts, physicalCores } = parseCpuinfo(RASPBERRY_PI);
  assertEquals([armParts, physicalCores], [[{ implementer: 0x41, part: 0xd08 }], undefined]);
  const bigLittle =
    `CPU implementer : 0x41\nCPU part : 0xd05\n\nCPU implementer : 0x41\nCPU part : 0xd0b\n`;
  assertEquals(parseCpuinfo(bigLittle).armParts.map(({ part }) => part), [0xd05, 0xd0b]);
});

Deno.test("parseCpuinfo() skips malformed lines", () => {
  const info = parseCpuinfo(
    "no colon\n: no key\nphysical id:\ncore id: 5\nCPU part: x\nCPU implementer: -1\n",
  );
  assertEquals(info.physicalCores, undefined);
  assertEquals(info.armParts, []);
  const odd = parseCpuinfo("CPU implementer: 0x41\nCPU part: 0x0\n");
  assertEquals(odd.armParts, [{ implementer: 0x41, part: 0 }]);
  for (const part of ["-1", "0.5", "1e99", "x"]) {
    const text = `CPU implementer: 0x41\nCPU part: ${part}\n`;
    assertEquals(parseCpuinfo(text).armParts, [], part);
  }
  onlySyntaxErrors(parseCpuinfo, [RASPBERRY_PI]);
});

Deno.test("parseCpuinfo() counts the cores that the kernel would write", () => {
  const threads = fc.array(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 200 })), { minLength: 1 });
  fc.assert(fc.property(threads, (threads) => {
    const text = threads.map(([socket, core], at) =>
      `processor\t: ${at}\nphysical id\t: ${socket}\ncore id\t\t: ${core}\n\n`
    );
    const expected = new Set(threads.map(String)).size;
    assertEquals(parseCpuinfo(text.join("")).physicalCores, expected);
  }));
});

Deno.test("armPartName() names the designs of servers and boards, and who made the rest", async () => {
  const text = `
    41 d03 Cortex-A53, 41 d08 Cortex-A72, 41 d0c Neoverse-N1,
    41 d40 Neoverse-V1, 41 d49 Neoverse-N2, 41 d4f Neoverse-V2, 41 d8e Neoverse-N3,
    48 d01 Kunpeng-920, 51 1 Oryon,
    6d d49 Azure-Cobalt-100, 70 663 FTC663, c0 ac3 Ampere-1, c0 ac4 Ampere-1a,
    41 abc ARM 0xabc, 48 abc HiSilicon 0xabc, 51 80 Qualcomm 0x80, 61 fe Apple 0xfe,
    c0 abc Ampere 0xabc`;
  await same(
    ([implementer = 0, part = 0]) => armPartName({ implementer, part }),
    text.split(",").map((row) => {
      const [maker = "", part = "", ...name] = row.trim().split(" ");
      return [[parseInt(maker, 16), parseInt(part, 16)], name.join(" ")] as const;
    }),
  );
  assertEquals(armPartName({ implementer: 0x99, part: 0xd0c }), undefined);
});
