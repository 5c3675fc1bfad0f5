/** A core's design, as ARM numbers it. */
export interface ArmPart {
  implementer: number;
  part: number;
}

/** What `/proc/cpuinfo` tells of the processors; every architecture tells something else. */
export interface CpuInfo {
  /** The processor's own words: x86, LoongArch, 32-bit ARM. */
  modelName: string | undefined;
  /** What takes a name's place elsewhere: POWER, MIPS, RISC-V, s390x. */
  designName: string | undefined;
  /** The different kinds of ARM cores in the order of the cores, as in big.LITTLE. */
  armParts: ArmPart[];
  /** Different pairs of socket and core; `undefined` when the file does not tell. */
  physicalCores: number | undefined;
  /** Whether the processor says that it runs under a hypervisor; x86 alone can. */
  underHypervisor: boolean;
  /** `vendor_id` of the first processor. */
  vendor: string | undefined;
}

/**
 * Reads `/proc/cpuinfo`.
 *
 * Lines that make no sense are passed over: no two kernels agree on this file's form.
 */
export function parseCpuinfo(text: string): CpuInfo {
  const first = new Map<string, string>();
  const cores = new Set<string>();
  const parts = new Map<string, ArmPart>();
  for (const block of text.split("\n\n")) {
    const fields = fieldsOf(block);
    for (const [key, value] of fields) {
      if (!first.has(key)) first.set(key, value);
    }
    const socket = fields.get("physical id");
    const core = fields.get("core id");
    if (socket !== undefined && core !== undefined) cores.add(`${socket}/${core}`);
    const part = armPart(fields);
    if (part !== undefined) parts.set(`${part.implementer}/${part.part}`, part);
  }
  return {
    modelName: first.get("model name")?.replace(/\s+/g, " "),
    designName: first.get("cpu model") ?? first.get("cpu")?.split(",")[0] ?? first.get("uarch") ??
      machineName(first),
    armParts: [...parts.values()],
    physicalCores: cores.size === 0 ? undefined : cores.size,
    underHypervisor: / hypervisor(?: |$)/.test(` ${first.get("flags") ?? ""}`),
    vendor: first.get("vendor_id"),
  };
}

function fieldsOf(block: string): Map<string, string> {
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

function armPart(fields: Map<string, string>): ArmPart | undefined {
  const implementer = Number(fields.get("cpu implementer"));
  const part = Number(fields.get("cpu part"));
  return isCode(implementer) && isCode(part) ? { implementer, part } : undefined;
}

function isCode(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** s390x has one line for each processor, `processor 0: version = FF, …, machine = 3906`. */
function machineName(fields: Map<string, string>): string | undefined {
  const machine = /machine = (\w+)/.exec(fields.get("processor 0") ?? "")?.[1];
  return machine && `${fields.get("vendor_id") ?? "IBM/S390"} ${machine}`;
}
