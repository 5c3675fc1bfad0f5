/**
 * What would be sent, and where each value comes from, for people and for programs.
 *
 * @module
 */

import { OPTIONS } from "../config/option_table.ts";
import type { GpuDecision } from "../metrics/gpu_devices.ts";
import { type Machine, networkFolder } from "../metrics/machine.ts";
import { memoryRule } from "../metrics/memory.ts";
import type { WireBasicInfo, WireReport } from "../panel/protocol.ts";
import { formatByteCount as bytes } from "../parse/byte_size.ts";

/** Everything that a dry run has to tell. */
export interface DryRun {
  readonly basicInfo: WireBasicInfo;
  readonly report: WireReport;
  /** The time between the two looks that the report is made of, in seconds. */
  readonly secondsBetween: number;
  readonly sources: Readonly<Record<string, string>>;
  readonly interfaces: readonly Decision[];
  readonly mountPoints: readonly Decision[];
  /** Present where details of graphics cards are wanted. */
  readonly graphicsCards?: readonly Decision[];
}

/** What was counted or left out, and why. */
export interface Decision {
  readonly name: string;
  readonly counted: boolean;
  readonly rule: string;
}

/** What a dry run knows beside the machine. */
export interface DryRunParts {
  readonly machine: Machine;
  readonly basicInfo: WireBasicInfo;
  readonly report: WireReport;
  readonly secondsBetween: number;
  readonly proc: string;
  readonly addressSource: string;
}

/** Nobody wants to wait longer for a look at what would be sent. */
const LONGEST_SECONDS = 5;

/** The time between the two looks of a dry run, in seconds: the interval, where that is short. */
export function secondsBetweenLooks(intervalSeconds: number | undefined): number {
  return Math.min(intervalSeconds ?? OPTIONS.interval.initial, LONGEST_SECONDS);
}

/** Puts together what a dry run tells; to be called after the second look. */
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
      "addresses": parts.addressSource,
    },
    interfaces: traffic.interfaces(),
    mountPoints: disk.mounts().map(({ mountPoint, source, type, counted, rule }) => ({
      // What only the user's list has is of no type.
      name: `${mountPoint} (${type === "" ? "not mounted" : `${type} of ${source}`})`,
      counted,
      rule,
    })),
    ...(machine.gpu && { graphicsCards: machine.gpu.decisions().map(cardDecision) }),
  };
}

/** What a card tells stands behind its name; what it does not tell is left out. */
function cardDecision({ name, counted, rule, gpu }: GpuDecision): Decision {
  const { usePercent, memory, temperatureCelsius } = gpu ?? {};
  const told = [
    usePercent === undefined ? "" : `${usePercent.toFixed(1)} %`,
    memory === undefined ? "" : `${bytes(memory.usedBytes)} of ${bytes(memory.totalBytes)}`,
    temperatureCelsius === undefined ? "" : `${Math.round(temperatureCelsius)} °C`,
  ].filter((text) => text !== "");
  return { name: told.length === 0 ? name : `${name} (${told.join(", ")})`, counted, rule };
}

function memorySource({ collectors: { memory } }: Machine, proc: string): string {
  const { effectiveMode: mode, limitedBy, isFallback: fallback = false } = memory;
  const rule = memoryRule({ mode, limited: limitedBy !== undefined, fallback });
  if (limitedBy !== undefined) return `the container's limit in ${limitedBy}, ${rule}`;
  const zfs = memory.knowsZfs === true && mode !== "all";
  return `${proc}/meminfo${zfs ? ", the cache of ZFS taken off" : ""}, ${rule}`;
}

/** A dry run as a table for people. */
export function dryRunTable(dryRun: DryRun): string {
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
    ["Message", report.message === "" ? "none" : report.message, "what could not be measured"],
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
    section(titled("Interfaces", sources.interfaces), dryRun.interfaces.map(decisionRow)),
    section(titled("Mount points", sources.mountPoints), dryRun.mountPoints.map(decisionRow)),
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
