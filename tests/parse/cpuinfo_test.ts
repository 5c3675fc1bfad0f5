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

Deno.test("parseCpuinfo() has no core count when the file has none", () => {
  assertEquals(parseCpuinfo(RASPBERRY_PI).physicalCores, undefined);
});

Deno.test("parseCpuinfo() lists each ARM core design once", () => {
  assertEquals(parseCpuinfo(RASPBERRY_PI).armParts, [{ implementer: 0x41, part: 0xd08 }]);
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
  fc.assert(fc.property(fc.string({ unit: "binary-ascii" }), (text) => {
    parseCpuinfo(text);
  }));
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

Deno.test("armPartName() knows common cores", () => {
  assertEquals(armPartName({ implementer: 0x41, part: 0xd0c }), "Neoverse-N1");
  assertEquals(armPartName({ implementer: 0x48, part: 0xd01 }), "Kunpeng-920");
});

Deno.test("armPartName() names implementer and number of an unlisted core", () => {
  assertEquals(armPartName({ implementer: 0x61, part: 0xfe }), "Apple 0xfe");
  assertEquals(armPartName({ implementer: 0x51, part: 0x80 }), "Qualcomm 0x80", "a part of 0x800");
  assertEquals(armPartName({ implementer: 0x41, part: 0xfff }), "ARM 0xfff");
});

Deno.test("armPartName() returns undefined when the implementer is unknown", () => {
  assertEquals(armPartName({ implementer: 0x99, part: 0xd0c }), undefined);
});

Deno.test("armPartName() names the designs of ARM", () => {
  const designs: [part: number, name: string][] = [
    [0xb76, "ARM1176"],
    [0xc05, "Cortex-A5"],
    [0xc07, "Cortex-A7"],
    [0xc08, "Cortex-A8"],
    [0xc09, "Cortex-A9"],
    [0xc0f, "Cortex-A15"],
    [0xd01, "Cortex-A32"],
    [0xd03, "Cortex-A53"],
    [0xd04, "Cortex-A35"],
    [0xd05, "Cortex-A55"],
    [0xd06, "Cortex-A65"],
    [0xd07, "Cortex-A57"],
    [0xd08, "Cortex-A72"],
    [0xd09, "Cortex-A73"],
    [0xd0a, "Cortex-A75"],
    [0xd0b, "Cortex-A76"],
    [0xd0c, "Neoverse-N1"],
    [0xd0d, "Cortex-A77"],
    [0xd40, "Neoverse-V1"],
    [0xd41, "Cortex-A78"],
    [0xd44, "Cortex-X1"],
    [0xd46, "Cortex-A510"],
    [0xd47, "Cortex-A710"],
    [0xd48, "Cortex-X2"],
    [0xd49, "Neoverse-N2"],
    [0xd4a, "Neoverse-E1"],
    [0xd4d, "Cortex-A715"],
    [0xd4e, "Cortex-X3"],
    [0xd4f, "Neoverse-V2"],
    [0xd80, "Cortex-A520"],
    [0xd81, "Cortex-A720"],
  ];
  for (const [part, name] of designs) assertEquals(armPartName({ implementer: 0x41, part }), name);
});

Deno.test("armPartName() names the designs of others, and who made the rest", () => {
  const designs: [implementer: number, part: number, name: string][] = [
    [0x51, 0x804, "Kryo-4XX-Gold"],
    [0x51, 0x805, "Kryo-4XX-Silver"],
    [0x51, 0x1, "Oryon"],
    [0x61, 0x0, "Swift"],
    [0x61, 0x22, "Icestorm-M1"],
    [0x6d, 0xd49, "Azure-Cobalt-100"],
    [0x41, 0xd84, "Neoverse-V3"],
    [0x41, 0xd8e, "Neoverse-N3"],
    [0x50, 0x0, "X-Gene"],
    [0x4e, 0x10, "Olympus"],
    [0x43, 0xaf, "ThunderX2-99xx"],
    [0x41, 0xd15, "Cortex-R82"],
    [0x46, 0x1, "A64FX"],
    [0x48, 0xd01, "Kunpeng-920"],
    [0x70, 0x662, "FTC662"],
    [0x70, 0x663, "FTC663"],
    [0xc0, 0xac3, "Ampere-1"],
    [0xc0, 0xac4, "Ampere-1a"],
  ];
  for (const [implementer, part, name] of designs) {
    assertEquals(armPartName({ implementer, part }), name);
  }
  const makers: [implementer: number, name: string][] = [
    [0x41, "ARM"],
    [0x42, "Broadcom"],
    [0x43, "Cavium"],
    [0x46, "Fujitsu"],
    [0x48, "HiSilicon"],
    [0x4e, "NVIDIA"],
    [0x50, "Ampere"],
    [0x51, "Qualcomm"],
    [0x53, "Samsung"],
    [0x56, "Marvell"],
    [0x61, "Apple"],
    [0x70, "Phytium"],
    [0xc0, "Ampere"],
  ];
  for (const [implementer, name] of makers) {
    assertEquals(armPartName({ implementer, part: 0xabc }), `${name} 0xabc`);
  }
});
