/** ARM's numbers for a core design. */
export interface ArmPart {
  implementer: number;
  part: number;
}

/** Contents of `/proc/cpuinfo`; the fields present depend on the architecture. */
export interface CpuInfo {
  /** `model name`: x86, LoongArch, 32-bit ARM. */
  modelName: string | undefined;
  /** Equivalent of a model name on POWER, MIPS, RISC-V and s390x. */
  designName: string | undefined;
  /** Distinct ARM core designs in the order of the cores, as in big.LITTLE. */
  armParts: ArmPart[];
  /** Number of distinct (socket, core) pairs. */
  physicalCores: number | undefined;
  /** The x86 `hypervisor` flag. */
  underHypervisor: boolean;
  /** `vendor_id` of the first processor. */
  vendor: string | undefined;
}

/**
 * Parses `/proc/cpuinfo`.
 *
 * Malformed lines are skipped: the format differs between kernels and architectures.
 */
export function parseCpuinfo(text: string): CpuInfo {
  const first = new Map<string, string>();
  const cores = new Set<string>();
  const parts = new Map<string, ArmPart>();
  for (const block of text.split("\n\n")) {
    const fields = parseFields(block);
    for (const [key, value] of fields) {
      if (!first.has(key)) first.set(key, value);
    }
    const socket = fields.get("physical id");
    const core = fields.get("core id");
    if (socket !== undefined && core !== undefined) cores.add(`${socket}/${core}`);
    const part = parseArmPart(fields);
    if (part !== undefined) parts.set(`${part.implementer}/${part.part}`, part);
  }
  return {
    modelName: first.get("model name")?.replace(/\s+/g, " "),
    designName: first.get("cpu model") ?? first.get("cpu")?.split(",")[0] ?? first.get("uarch") ??
      s390xName(first),
    armParts: [...parts.values()],
    physicalCores: cores.size === 0 ? undefined : cores.size,
    underHypervisor: / hypervisor(?: |$)/.test(` ${first.get("flags") ?? ""}`),
    vendor: first.get("vendor_id"),
  };
}

function parseFields(block: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const value = line.slice(colon + 1).trim();
    if (colon === -1 || value === "") continue;
    const key = line.slice(0, colon).trim().toLowerCase();
    if (!fields.has(key)) fields.set(key, value);
  }
  return fields;
}

function parseArmPart(fields: Map<string, string>): ArmPart | undefined {
  const implementer = Number(fields.get("cpu implementer"));
  const part = Number(fields.get("cpu part"));
  return isPartNumber(implementer) && isPartNumber(part) ? { implementer, part } : undefined;
}

function isPartNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** s390x has one line per processor: `processor 0: version = FF, …, machine = 3906`. */
function s390xName(fields: Map<string, string>): string | undefined {
  const machine = /machine = (\w+)/.exec(fields.get("processor 0") ?? "")?.[1];
  return machine && `${fields.get("vendor_id") ?? "IBM/S390"} ${machine}`;
}

/** Part numbers of ARM Ltd. */
const ARM_PARTS: Readonly<Record<number, string>> = {
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

const OTHER_PARTS: Readonly<Record<string, string>> = {
  "0x43/0xaf": "ThunderX2",
  "0x46/0x1": "A64FX",
  "0x48/0xd01": "Kunpeng-920",
  "0x70/0x662": "FTC662",
  "0x70/0x663": "FTC663",
  "0xc0/0xac3": "Ampere-1",
  "0xc0/0xac4": "Ampere-1a",
};

/**
 * Name of an ARM core such as `Neoverse-N1`; implementer and part number for unlisted parts,
 * `undefined` for unlisted implementers.
 */
export function armPartName({ implementer, part }: ArmPart): string | undefined {
  const known = implementer === 0x41
    ? ARM_PARTS[part]
    : OTHER_PARTS[`${toHex(implementer)}/${toHex(part)}`];
  const maker = IMPLEMENTERS[implementer];
  return known ?? (maker && `${maker} ${toHex(part)}`);
}

function toHex(value: number): string {
  return `0x${value.toString(16)}`;
}
