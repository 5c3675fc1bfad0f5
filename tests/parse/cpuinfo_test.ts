import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { armPartName, parseCpuinfo } from "../../lib/parse/cpuinfo.ts";
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

const S390X = `vendor_id       : IBM/S390
# processors    : 2
bogomips per cpu: 3033.00
max thread id   : 0
features	: esan3 zarch stfle msa
processor 0: version = FF,  identification = 2733E8,  machine = 3906
processor 1: version = FF,  identification = 2733E8,  machine = 3906

cpu number      : 0
physical id     : 1
core id         : 0
cpu MHz dynamic : 5200

cpu number      : 1
physical id     : 1
core id         : 1
cpu MHz dynamic : 5200
`;

Deno.test("parseCpuinfo() reads a captured x86 guest", () => {
  const text = Deno.readTextFileSync("tests/fixtures/docker-kvm/proc/cpuinfo");
  assertEquals(parseCpuinfo(text), {
    modelName: "AMD EPYC",
    designName: undefined,
    armParts: [],
    processors: 2,
    physicalCores: 2,
    underHypervisor: true,
    vendor: "AuthenticAMD",
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
});

Deno.test("parseCpuinfo() lists each ARM core design once", () => {
  const { armParts, physicalCores } = parseCpuinfo(RASPBERRY_PI);
  assertEquals([armParts, physicalCores], [[{ implementer: 0x41, part: 0xd08 }], undefined]);
  const bigLittle =
    `CPU implementer : 0x41\nCPU part : 0xd05\n\nCPU implementer : 0x41\nCPU part : 0xd0b\n`;
  assertEquals(parseCpuinfo(bigLittle).armParts.map(({ part }) => part), [0xd05, 0xd0b]);
});

Deno.test("parseCpuinfo() reads s390x", () => {
  const info = parseCpuinfo(S390X);
  assertEquals(info.designName, "IBM/S390 3906");
  assertEquals(parseCpuinfo(S390X.replace("IBM/S390", "IBM/Z")).designName, "IBM/Z 3906");
  assertEquals(parseCpuinfo(S390X.replace("vendor_id", "x")).designName, "IBM/S390 3906");
  assertEquals(info.physicalCores, 2);
});

Deno.test("parseCpuinfo() reads the names of POWER, MIPS, RISC-V and LoongArch", () => {
  const power = parseCpuinfo("processor\t: 0\ncpu\t\t: POWER9 (raw), altivec supported\n");
  assertEquals(power.designName, "POWER9 (raw)");
  assertEquals(parseCpuinfo("cpu model\t: MIPS 24Kc V7.4\n").designName, "MIPS 24Kc V7.4");
  assertEquals(parseCpuinfo("hart\t: 1\nuarch\t: sifive,u74-mc\n").designName, "sifive,u74-mc");
  assertEquals(parseCpuinfo("Model Name\t: Loongson-3A5000\n").modelName, "Loongson-3A5000");
});

Deno.test("parseCpuinfo() does not confuse similar flags with `hypervisor`", () => {
  assertEquals(parseCpuinfo("flags\t: fpu nohypervisor hypervisors\n").underHypervisor, false);
  assertEquals(parseCpuinfo("flags\t: hypervisor\n").underHypervisor, true);
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
});

Deno.test("parseCpuinfo() never throws", () => {
  onlySyntaxErrors(parseCpuinfo, [RASPBERRY_PI, S390X]);
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

Deno.test("armPartName() names implementer and number of an unlisted core", () => {
  assertEquals(armPartName({ implementer: 0x61, part: 0xfe }), "Apple 0xfe");
  assertEquals(armPartName({ implementer: 0x51, part: 0x80 }), "Qualcomm 0x80", "a part of 0x800");
  assertEquals(armPartName({ implementer: 0x41, part: 0xfff }), "ARM 0xfff");
  assertEquals(armPartName({ implementer: 0x99, part: 0xd0c }), undefined);
});

/** Numbers in hexadecimal, with the name that they stand for. */
function named(text: string): [numbers: number[], name: string][] {
  return text.split(",").map((row) => {
    const [name = "", ...numbers] = row.trim().split(" ").toReversed();
    return [numbers.toReversed().map((number) => parseInt(number, 16)), name];
  });
}

/** Parts of ARM. */
const OF_ARM = named(`
  b76 ARM1176, c05 Cortex-A5, c07 Cortex-A7, c08 Cortex-A8, c09 Cortex-A9, c0f Cortex-A15,
  d01 Cortex-A32, d03 Cortex-A53, d04 Cortex-A35, d05 Cortex-A55, d06 Cortex-A65,
  d07 Cortex-A57, d08 Cortex-A72, d09 Cortex-A73, d0a Cortex-A75, d0b Cortex-A76,
  d0c Neoverse-N1, d0d Cortex-A77, d40 Neoverse-V1, d41 Cortex-A78, d44 Cortex-X1,
  d46 Cortex-A510, d47 Cortex-A710, d48 Cortex-X2, d49 Neoverse-N2, d4a Neoverse-E1,
  d4d Cortex-A715, d4e Cortex-X3, d4f Neoverse-V2, d80 Cortex-A520, d81 Cortex-A720
`);

/** Implementer and part. */
const OF_OTHERS = named(`
  51 804 Kryo-4XX-Gold, 51 805 Kryo-4XX-Silver, 51 1 Oryon, 61 0 Swift, 61 22 Icestorm-M1,
  6d d49 Azure-Cobalt-100, 41 d84 Neoverse-V3, 41 d8e Neoverse-N3, 50 0 X-Gene,
  4e 10 Olympus, 43 af ThunderX2-99xx, 41 d15 Cortex-R82, 46 1 A64FX, 48 d01 Kunpeng-920,
  70 662 FTC662, 70 663 FTC663, c0 ac3 Ampere-1, c0 ac4 Ampere-1a
`);

const MAKERS = named(`
  41 ARM, 42 Broadcom, 43 Cavium, 46 Fujitsu, 48 HiSilicon, 4e NVIDIA, 50 Ampere,
  51 Qualcomm, 53 Samsung, 56 Marvell, 61 Apple, 70 Phytium, c0 Ampere
`);

Deno.test("armPartName() names the designs of ARM and of others, and who made the rest", () => {
  for (const [[part = 0], name] of OF_ARM) {
    assertEquals(armPartName({ implementer: 0x41, part }), name);
  }
  for (const [[implementer = 0, part = 0], name] of OF_OTHERS) {
    assertEquals(armPartName({ implementer, part }), name);
  }
  for (const [[implementer = 0], name] of MAKERS) {
    assertEquals(armPartName({ implementer, part: 0xabc }), `${name} 0xabc`);
  }
});
