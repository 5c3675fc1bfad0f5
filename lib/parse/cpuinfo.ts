/** ARM's numbers for a core design. */
export interface ArmPart {
  implementer: number;
  part: number;
}

/** Contents of `/proc/cpuinfo`; the fields present depend on the architecture. */
export interface CpuInfo {
  /** `model name`; ARM has none. */
  modelName: string | undefined;
  /** Distinct ARM core designs in the order of the cores, as in big.LITTLE. */
  armParts: ArmPart[];
  /** Number of `processor` entries; `undefined` without any. */
  processors: number | undefined;
  /** Number of distinct (socket, core) pairs. */
  physicalCores: number | undefined;
  /** The x86 `hypervisor` flag. */
  underHypervisor: boolean;
}

/**
 * Parses `/proc/cpuinfo`.
 *
 * Malformed lines are skipped: the format differs between kernels.
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
    armParts: [...parts.values()],
    processors: text.match(/^processor\s*:/gm)?.length,
    physicalCores: cores.size === 0 ? undefined : cores.size,
    underHypervisor: / hypervisor(?: |$)/.test(` ${first.get("flags") ?? ""}`),
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

/** By implementer: who that is, and the designs of its servers and boards by their hexadecimal numbers. */
const ARM_CORES: Readonly<Record<number, readonly [maker: string, ...parts: string[]]>> = {
  0x41: [
    "ARM",
    "d03=Cortex-A53 d04=Cortex-A35 d05=Cortex-A55 d07=Cortex-A57 d08=Cortex-A72",
    "d09=Cortex-A73 d0a=Cortex-A75 d0b=Cortex-A76 d0c=Neoverse-N1 d0d=Cortex-A77",
    "d40=Neoverse-V1 d41=Cortex-A78 d44=Cortex-X1 d46=Cortex-A510 d47=Cortex-A710",
    "d48=Cortex-X2 d49=Neoverse-N2 d4a=Neoverse-E1 d4d=Cortex-A715 d4e=Cortex-X3",
    "d4f=Neoverse-V2 d80=Cortex-A520 d81=Cortex-A720 d82=Cortex-X4 d83=Neoverse-V3AE",
    "d84=Neoverse-V3 d85=Cortex-X925 d87=Cortex-A725 d8e=Neoverse-N3",
  ],
  0x48: ["HiSilicon", "d01=Kunpeng-920 d02=Kunpeng-920 d03=Kunpeng-920 d06=Kunpeng-950"],
  0x51: ["Qualcomm", "1=Oryon c00=Falkor c01=Saphira"],
  0x61: ["Apple"],
  0x6d: ["Microsoft", "d49=Azure-Cobalt-100"],
  0x70: ["Phytium", "303=FTC310 660=FTC660 661=FTC661 662=FTC662 663=FTC663 664=FTC664 862=FTC862"],
  0xc0: ["Ampere", "ac3=Ampere-1 ac4=Ampere-1a"],
};

/**
 * Name of an ARM core such as `Neoverse-N1`; implementer and part number for unlisted parts,
 * `undefined` for unlisted implementers.
 */
export function armPartName({ implementer, part }: ArmPart): string | undefined {
  const [maker, ...parts] = ARM_CORES[implementer] ?? [];
  if (maker === undefined) return undefined;
  const number = `${part.toString(16)}=`;
  const known = parts.join(" ").split(" ").find((it) => it.startsWith(number));
  return known?.slice(number.length) ?? `${maker} 0x${part.toString(16)}`;
}
