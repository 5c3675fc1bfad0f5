/**
 * The command line `--dry-run`: measures the machine twice, and shows what would be sent and where
 * each value comes from.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { startShell } from "../sandbox/shell.ts";
import { unmatched } from "../agent/startup_log.ts";
import type { Config } from "../config/config.ts";
import { INTERVAL_SECONDS } from "../config/parsers.ts";
import { describeError, getLogger } from "../log/log.ts";
import type { GpuDecision } from "../metrics/gpu_devices.ts";
import { type Machine, networkFolder, type OpenedMachine } from "../metrics/machine.ts";
import { memoryRule } from "../metrics/memory.ts";
import { openMachine, openPublicAddresses, type Platform } from "../metrics/open_machine.ts";
import { takeSnapshot } from "../metrics/snapshot.ts";
import {
  toWireBasicInfo,
  toWireReport,
  type WireBasicInfo,
  type WireReport,
} from "../panel/protocol.ts";
import { formatByteCount as bytes } from "../parse/byte_size.ts";
import { VERSION } from "../version.ts";
import { type CommandContext, supportedPlatform } from "./command.ts";
import { jsonText, logToStandardError } from "./output.ts";

/** Maximum time between the two measurements, in seconds. */
const MAX_SECONDS = 5;

/** Prints what would be sent. */
export async function runDryRun(config: Config, context: CommandContext): Promise<number> {
  const { signal } = context;
  const platform = supportedPlatform();
  logToStandardError(config, config.secrets);
  const secondsBetween = secondsBetweenMeasurements(config.intervalSeconds);
  if (!config.json || Deno.stderr.isTerminal()) {
    context.printError(`Measuring twice, ${secondsBetween} s apart …`);
  }
  const result = await measureTwice(config, { ...platform, secondsBetween, signal });
  context.print(config.json ? jsonText(result) : dryRunTable(result, config));
  return 0;
}

/** The interval, if it is short. */
export function secondsBetweenMeasurements(intervalSeconds: number | undefined): number {
  return Math.min(intervalSeconds ?? INTERVAL_SECONDS.webSocket, MAX_SECONDS);
}

interface MeasureOptions extends Platform {
  readonly secondsBetween: number;
  /** Ends the wait between the two measurements. */
  readonly signal: AbortSignal;
}

async function measureTwice(config: Config, options: MeasureOptions): Promise<DryRun> {
  const open = await openMachine(config, options);
  try {
    return await measureOpened(open, config, options);
  } finally {
    await open.close?.();
  }
}

async function measureOpened(
  open: OpenedMachine,
  config: Config,
  { secondsBetween, signal }: MeasureOptions,
): Promise<DryRun> {
  const { machine, host } = open;
  const addresses = openPublicAddresses(config, open);
  const month = config.monthRotate === 0
    ? undefined
    : (await import("../traffic/persistent_traffic.ts")).readTraffic(config, open);
  const collectors = month?.collectors ?? machine.collectors;
  takeSnapshot(collectors);
  const [found] = await Promise.all([
    addresses.lookup(signal),
    delay(secondsBetween * 1000, { signal }),
    queryNvidia(open, signal),
  ]);
  await machine.refresh?.();
  const failures = new Map<string, string>();
  const snapshot = takeSnapshot(collectors, ({ subject, error }) => {
    failures.set(subject, describeError(error));
  });
  const result = toDryRun({
    machine: month === undefined
      ? machine
      : { ...machine, sources: { ...machine.sources, traffic: month.source() } },
    basicInfo: toWireBasicInfo({
      facts: machine.readFacts(),
      snapshot,
      addresses: found,
      version: VERSION,
      withoutNewColumns: false,
    }),
    report: toWireReport(snapshot),
    secondsBetween,
    proc: host.roots.proc,
    addressSource: addresses.source,
    failures,
  });
  for (const notice of unmatched(config, machine)) {
    getLogger("agent").warning("{notice}", { notice });
  }
  return result;
}

/** Queries NVIDIA's cards once, through a shell, if details of cards are wanted. */
async function queryNvidia({ machine: { gpu }, host }: OpenedMachine, signal: AbortSignal) {
  if (gpu === undefined) return;
  const shell = startShell({ ...host.roots, gpu: true });
  try {
    gpu.nvidia.useNvidiaSmi(async () => await shell?.nvidiaSmi({ signal }));
    await gpu.nvidia.settled();
  } finally {
    await shell?.close();
  }
}

/** The result of a dry run. */
export interface DryRun {
  readonly basicInfo: WireBasicInfo;
  readonly report: WireReport;
  /** Time between the two measurements, in seconds. */
  readonly secondsBetween: number;
  readonly sources: Readonly<Record<string, string>>;
  readonly interfaces: readonly Decision[];
  readonly mountPoints: readonly Decision[];
  /** Absent if details of graphics cards are not wanted. */
  readonly graphicsCards?: readonly Decision[];
}

/** Whether something is counted, and by which rule. */
export interface Decision {
  readonly name: string;
  readonly counted: boolean;
  readonly rule: string;
}

/** The parts of a dry run. */
export interface DryRunParts {
  readonly machine: Machine;
  readonly basicInfo: WireBasicInfo;
  readonly report: WireReport;
  readonly secondsBetween: number;
  readonly proc: string;
  readonly addressSource: string;
  /** Reasons by the subjects that could not be measured. */
  readonly failures?: ReadonlyMap<string, string>;
}

/** Subjects of failures by the keys of {@linkcode DryRun.sources}. */
const SUBJECTS: Readonly<Record<string, string>> = {
  cpu: "CPU use",
  ram: "memory",
  swap: "memory",
  load: "load",
  disk: "disk space",
  network: "network traffic",
  traffic: "network traffic",
  connections: "connections",
  uptime: "uptime",
  process: "process count",
};

/** Reasons in place of the sources of values that could not be measured. */
function failedSources(failures: ReadonlyMap<string, string>): Record<string, string> {
  const failed = Object.entries(SUBJECTS).flatMap(([key, subject]) => {
    const reason = failures.get(subject);
    return reason === undefined ? [] : [[key, `not measured: ${reason}`]];
  });
  return Object.fromEntries(failed);
}

/** Puts the parts together, after the second measurement. */
export function toDryRun(parts: DryRunParts): DryRun {
  const { machine, proc, report, basicInfo, secondsBetween } = parts;
  const { traffic, disk, memory, processes } = machine.collectors;
  const network = networkFolder(proc);
  return {
    basicInfo,
    report,
    secondsBetween,
    sources: {
      "cpu": `${proc}/stat, over ${secondsBetween} s`,
      "ram": memorySource(machine, proc),
      "swap": memory.limitedBy ?? `${proc}/meminfo: total - free - cached`,
      "load": `${proc}/loadavg`,
      "disk": "statfs of the mount points below",
      "network": `${network}/dev, of the interfaces below`,
      "connections": `${network}/sockstat and sockstat6`,
      "uptime": `${proc}/uptime`,
      "process": processes.byLinks ? `the kernel's own count, by ${proc}` : `a listing of ${proc}`,
      ...machine.sources,
      ...failedSources(parts.failures ?? new Map()),
      "addresses": parts.addressSource,
    },
    interfaces: traffic.interfaces(),
    mountPoints: disk.mounts().map(({ mountPoint, source, type, counted, rule }) => ({
      // A mount point that only the user's list has is of no type.
      name: `${mountPoint} (${type === "" ? "not mounted" : `${type} of ${source}`})`,
      counted,
      rule,
    })),
    graphicsCards: machine.gpu?.decisions().map(cardDecision),
  };
}

/** Puts a card's known values behind its name. */
function cardDecision({ name, counted, rule, gpu }: GpuDecision): Decision {
  const { usePercent, memory, temperatureCelsius } = gpu ?? {};
  const values = [
    usePercent === undefined ? "" : `${usePercent.toFixed(1)} %`,
    memory === undefined ? "" : `${bytes(memory.usedBytes)} of ${bytes(memory.totalBytes)}`,
    temperatureCelsius === undefined ? "" : `${Math.round(temperatureCelsius)} °C`,
  ].filter((text) => text !== "");
  return { name: values.length === 0 ? name : `${name} (${values.join(", ")})`, counted, rule };
}

function memorySource({ collectors: { memory } }: Machine, proc: string): string {
  const { effectiveMode: mode, limitedBy, isFallback: fallback = false } = memory;
  const rule = memoryRule({ mode, limited: limitedBy !== undefined, fallback });
  if (limitedBy !== undefined) return `the container's limit in ${limitedBy}, ${rule}`;
  const zfs = memory.knowsZfs === true && mode !== "all";
  return `${proc}/meminfo${zfs ? ", the cache of ZFS taken off" : ""}, ${rule}`;
}

/**
 * A dry run as a table for people. Everything that one rule leaves out is one line, unless `verbose`.
 */
export function dryRunTable(
  dryRun: DryRun,
  { verbose = false }: { verbose?: boolean } = {},
): string {
  const decisionRows = (decisions: readonly Decision[]) =>
    (verbose ? decisions : foldIgnored(decisions)).map(decisionRow);
  const { basicInfo, report, sources } = dryRun;
  const usage = (use: { total: number; used: number }) =>
    `${bytes(use.used)} of ${bytes(use.total)}`;
  const rows: [string, string, string][] = [
    ["CPU", `${report.cpu.usage.toFixed(1)} %`, sources.cpu ?? ""],
    ["Memory", usage(report.ram), sources.ram ?? ""],
    ["Swap", usage(report.swap), sources.swap ?? ""],
    ["Disk", usage(report.disk), sources.disk ?? ""],
    ["Load", Object.values(report.load).join(" "), sources.load ?? ""],
    [
      "Network",
      `up ${bytes(report.network.up)}/s, down ${bytes(report.network.down)}/s`,
      sources.network ?? "",
    ],
    [
      "Traffic",
      `up ${bytes(report.network.totalUp)}, down ${bytes(report.network.totalDown)}`,
      sources.traffic ?? sources.network ?? "",
    ],
    [
      "Connections",
      `${report.connections.tcp} TCP, ${report.connections.udp} UDP`,
      sources.connections ?? "",
    ],
    ["Uptime", `${report.uptime} s`, sources.uptime ?? ""],
    ["Processes", String(report.process), sources.process ?? ""],
    ["Message", report.message === "" ? "none" : report.message, "failed measurements"],
  ];
  const info = Object.entries(basicInfo).map(([field, value]): [string, string] => [
    field,
    typeof value === "number" && field.endsWith("_total") ? bytes(value) : String(value),
  ]);
  return [
    section("Basic info", [
      ...info,
      ["(addresses)", sources.addresses ?? ""],
    ]),
    section("Report", rows),
    section(titled("Interfaces", sources.interfaces), decisionRows(dryRun.interfaces)),
    section(titled("Mount points", sources.mountPoints), decisionRows(dryRun.mountPoints)),
    ...(dryRun.graphicsCards === undefined
      ? []
      : [section("Graphics cards", cardRows(dryRun.graphicsCards))]),
  ].join("\n\n") + "\n";
}

function cardRows(cards: readonly Decision[]): string[][] {
  return cards.length === 0 ? [["none", "", "no card was found"]] : cards.map(decisionRow);
}

function titled(title: string, source: string | undefined): string {
  return source === undefined ? title : `${title}, by ${source}`;
}

/** Names that a folded line shows. */
const SHOWN_NAMES = 2;

/** Puts everything that one rule leaves out into one decision, in the place of the first. */
export function foldIgnored(decisions: readonly Decision[]): Decision[] {
  const ignored = Map.groupBy(decisions.filter(({ counted }) => !counted), ({ rule }) => rule);
  return decisions.flatMap((decision) => {
    const alike = decision.counted ? [] : ignored.get(decision.rule) ?? [];
    if (alike.length < 2) return [decision];
    if (alike[0] !== decision) return [];
    const names = alike.slice(0, SHOWN_NAMES).map(({ name }) => name.replace(/ \(.*/, ""));
    const more = alike.length > SHOWN_NAMES ? ", …" : "";
    return [{ ...decision, name: `${names.join(", ")}${more} (${alike.length} in all)` }];
  });
}

function decisionRow({ name, counted, rule }: Decision): string[] {
  return [name, counted ? "counted" : "left out", rule];
}

function section(title: string, rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, index) => Math.max(widest[index] ?? 0, cell.length)),
    [],
  );
  const lines = rows.map((row) =>
    "  " + row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("  ").trimEnd()
  );
  return [title, ...lines].join("\n");
}
