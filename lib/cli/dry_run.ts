/**
 * The command line `--dry-run`: measures the machine twice, and shows what would be sent and where
 * each value comes from.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { startShell } from "../sandbox/shell.ts";
import { isRootUntilSealed } from "../agent/shell_names.ts";
import { unmatchedNotices } from "../agent/startup_log.ts";
import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { INTERVAL_SECONDS } from "../config/parsers.ts";
import { describeError, getLogger } from "../log/log.ts";
import { type Collector, takeSnapshot } from "../metrics/snapshot.ts";
import type { Machine } from "../metrics/machine.ts";
import { openMachine, type Platform } from "../metrics/open_machine.ts";
import { createGetText, PublicAddresses } from "../metrics/public_addresses.ts";
import { Rates } from "../metrics/rates.ts";
import {
  toWireBasicInfo,
  toWireReport,
  type WireBasicInfo,
  type WireReport,
} from "../panel/protocol.ts";
import { formatByteCount as bytes } from "../parse/quantity.ts";
import { VERSION } from "../version.ts";
import { type CommandContext, supportedPlatform } from "./command.ts";
import { tableText } from "./layout.ts";
import { jsonText, logToStandardError } from "./output.ts";

/** Maximum time between the two measurements, in seconds. */
const MAX_SECONDS = 5;

/** Prints what would be sent. */
export async function runDryRun(config: Config, context: CommandContext): Promise<number> {
  const platform = supportedPlatform();
  logToStandardError(config, config.secrets, { write: context.printError });
  const { intervalSeconds = INTERVAL_SECONDS.webSocket } = config;
  const secondsBetween = Math.min(intervalSeconds, MAX_SECONDS);
  if (!config.json) context.printError(`Measuring twice, ${secondsBetween} s apart …`);
  const result = await measureTwice(config, { ...platform, secondsBetween, context });
  context.print(
    config.json
      ? jsonText(result)
      : dryRunTable(result, { ...config, inLanguage: context.inLanguage }),
  );
  return 0;
}

async function measureTwice(
  config: Config,
  { secondsBetween, context, ...platform }: Platform & {
    secondsBetween: number;
    context: CommandContext;
  },
): Promise<DryRun> {
  const { signal } = context;
  const machine = await openMachine(config, platform);
  try {
    const getText = createGetText(config.proxies);
    const addresses = new PublicAddresses(config, machine, { getText });
    const collectors = config.monthRotate === 0
      ? machine.collectors
      : (await import("../traffic/persistent_traffic.ts")).readTraffic(config, machine);
    // The agent reads them as root, too.
    machine.facts();
    // A disk that root alone can reach is not one of the sealed agent's.
    if (isRootUntilSealed(config)) attempt(context.giveUpRoot);
    await machine.refresh?.();
    const rates = new Rates(takeSnapshot(collectors));
    const [found] = await Promise.all([
      addresses.lookup(signal),
      delay(secondsBetween * 1000, { signal }),
      queryNvidia(machine, signal),
    ]);
    await machine.refresh?.();
    const failures = new Map<string, string>();
    const snapshot = takeSnapshot(collectors, ({ subject, error }) => {
      failures.set(subject, describeError(error));
    });
    for (const notice of unmatchedNotices(config, machine)) {
      getLogger("agent").warning("{notice}", { notice });
    }
    return toDryRun(machine, {
      basicInfo: toWireBasicInfo({
        facts: machine.facts(),
        snapshot,
        addresses: found,
        version: VERSION,
        withoutNewColumns: false,
      }),
      report: toWireReport(rates.report(snapshot)),
      secondsBetween,
      sources: { ...collectedSources(collectors, failures), addresses: addresses.answeredBy },
    });
  } finally {
    await machine.close?.();
  }
}

/** Queries NVIDIA's cards once, through a shell, if details of cards are wanted. */
async function queryNvidia({ gpu, roots }: Machine, signal: AbortSignal) {
  if (gpu === undefined) return;
  const shell = startShell({ ...roots, gpu: true });
  try {
    gpu.nvidia.useNvidiaSmi(async () => await shell?.nvidiaSmi({ signal }));
    await gpu.nvidia.start();
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
}

/** Whether something is counted, and by which rule. */
export interface Decision {
  readonly name: string;
  readonly counted: boolean;
  readonly rule: string;
}

/** The sources of all values, or the reasons why they could not be measured, by subject. */
export function collectedSources(
  collectors: readonly Collector[],
  failures: ReadonlyMap<string, string>,
): Record<string, string> {
  return Object.fromEntries(collectors.flatMap((collector) => {
    const reason = failures.get(collector.subject);
    return Object.entries(collector.sources()).map(([name, source]) => [
      name,
      reason === undefined ? source : `not measured: ${reason}`,
    ]);
  }));
}

/** Adds the decisions on what counts, after the second measurement. */
export function toDryRun(
  machine: Machine,
  measured: Omit<DryRun, "interfaces" | "mountPoints">,
): DryRun {
  return {
    ...measured,
    interfaces: machine.interfaces(),
    mountPoints: machine.mounts().map(({ mountPoint, source, type, counted, rule }) => ({
      // A mount point that only the user's list has is of no type.
      name: `${mountPoint} (${type === "" ? "not mounted" : `${type} of ${source}`})`,
      counted,
      rule,
    })),
  };
}

/** Parts of a report whose numbers are bytes. */
const IN_BYTES = ["ram", "swap", "disk", "network"];

/** A part of a report by the names of its values, as the panel gets them. */
function valueText(name: string, value: unknown): string {
  const inUnits = (number: unknown) =>
    typeof number === "number" && IN_BYTES.includes(name) ? bytes(number) : `${number}`;
  if (typeof value !== "object" || value === null || "detailed_info" in value) {
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  }
  return Object.entries(value).map(([key, part]) => `${key}=${inUnits(part)}`).join(", ");
}

/**
 * A dry run as a table for people. Everything that one rule leaves out is one line, unless `verbose`.
 */
export function dryRunTable(
  dryRun: DryRun,
  { verbose = false, inLanguage = (english) => english }: {
    verbose?: boolean;
    /** Puts the English of titles and cells into the user's language. */
    inLanguage?: (english: string) => string;
  } = {},
): string {
  const table = (title: string, rows: readonly (readonly string[])[]) =>
    tableText(inLanguage(title), rows.map((row) => row.map(inLanguage)));
  const decisionRows = (decisions: readonly Decision[]) =>
    (verbose ? decisions : foldIgnored(decisions)).map(decisionRow);
  const { basicInfo, report, sources } = dryRun;
  const sourceOf: DryRun["sources"] = { message: "failed measurements", ...sources };
  const rows = Object.entries(report).map(([name, value]) => [
    name,
    valueText(name, value),
    sourceOf[name] ?? "",
  ]);
  const info = Object.entries(basicInfo).map(([field, value]): [string, string] => [
    field,
    typeof value === "number" && field.endsWith("_total") ? bytes(value) : String(value),
  ]);
  return [
    table("Basic info", [...info, ["(addresses)", sources.addresses ?? ""]]),
    table("Report", rows),
    table("Interfaces", decisionRows(dryRun.interfaces)),
    table("Mount points", decisionRows(dryRun.mountPoints)),
  ].join("\n\n") + "\n";
}

/** Names that a folded line shows. */
const SHOWN_NAMES = 2;

/** Puts everything that one rule leaves out into one decision, in the place of the first. */
function foldIgnored(decisions: readonly Decision[]): Decision[] {
  const ignored = Map.groupBy(decisions.filter(({ counted }) => !counted), ({ rule }) => rule);
  return decisions.flatMap((decision) => {
    const alike = decision.counted ? [] : ignored.get(decision.rule) ?? [];
    if (alike.length < 2) return [decision];
    if (alike[0] !== decision) return [];
    const names = alike.slice(0, SHOWN_NAMES).map(({ name }) => name.replace(/ \(.*/, "")).join(
      ", ",
    );
    const name = alike.length > SHOWN_NAMES
      ? `${names}, … (${alike.length} in all)`
      : `${names} (${alike.length} in all)`;
    return [{ ...decision, name }];
  });
}

function decisionRow({ name, counted, rule }: Decision): string[] {
  return [oneLine(name), counted ? "counted" : "left out", oneLine(rule)];
}

/** Escapes control characters: a line feed in a mount point's name would make a row of its own. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => {
    return `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
