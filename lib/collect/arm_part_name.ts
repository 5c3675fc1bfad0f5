import type { ArmPart } from "../parse/cpuinfo.ts";

/** ARM Ltd's own numbers; the last digits are of no system. */
const ARM: Readonly<Record<number, string>> = {
  0xb76: "ARM1176",
  0xc05: "Cortex-A5",
  0xc07: "Cortex-A7",
  0xc08: "Cortex-A8",
  0xc09: "Cortex-A9",
  0xc0f: "Cortex-A15",
  0xd01: "Cortex-A32",
  0xd03: "Cortex-A53",
  0xd04: "Cortex-A35",
  0xd05: "Cortex-A55",
  0xd06: "Cortex-A65",
  0xd07: "Cortex-A57",
  0xd08: "Cortex-A72",
  0xd09: "Cortex-A73",
  0xd0a: "Cortex-A75",
  0xd0b: "Cortex-A76",
  0xd0c: "Neoverse-N1",
  0xd0d: "Cortex-A77",
  0xd40: "Neoverse-V1",
  0xd41: "Cortex-A78",
  0xd44: "Cortex-X1",
  0xd46: "Cortex-A510",
  0xd47: "Cortex-A710",
  0xd48: "Cortex-X2",
  0xd49: "Neoverse-N2",
  0xd4a: "Neoverse-E1",
  0xd4d: "Cortex-A715",
  0xd4e: "Cortex-X3",
  0xd4f: "Neoverse-V2",
  0xd80: "Cortex-A520",
  0xd81: "Cortex-A720",
};

const IMPLEMENTERS: Readonly<Record<number, string>> = {
  0x41: "ARM",
  0x42: "Broadcom",
  0x43: "Cavium",
  0x46: "Fujitsu",
  0x48: "HiSilicon",
  0x4e: "NVIDIA",
  0x50: "Ampere",
  0x51: "Qualcomm",
  0x53: "Samsung",
  0x56: "Marvell",
  0x61: "Apple",
  0x70: "Phytium",
  0xc0: "Ampere",
};

const OTHERS: Readonly<Record<string, string>> = {
  "0x43/0xaf": "ThunderX2",
  "0x46/0x1": "A64FX",
  "0x48/0xd01": "Kunpeng-920",
  "0x70/0x662": "FTC662",
  "0x70/0x663": "FTC663",
  "0xc0/0xac3": "Ampere-1",
  "0xc0/0xac4": "Ampere-1a",
};

/**
 * What an ARM core is called, `Neoverse-N1`; the implementer and the number where the core is not
 * in the list, `undefined` where neither is.
 */
export function armPartName({ implementer, part }: ArmPart): string | undefined {
  const known = implementer === 0x41 ? ARM[part] : OTHERS[`${hex(implementer)}/${hex(part)}`];
  const maker = IMPLEMENTERS[implementer];
  return known ?? (maker && `${maker} ${hex(part)}`);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
