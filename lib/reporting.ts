/**
 * Puts the agent together: machine, panel, probes, and the seal between them.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { PublicAddresses } from "./address/public_addresses.ts";
import { type AfterFirstReport, Agent } from "./agent.ts";
import { UsageError } from "./errors.ts";
import type { Config } from "./config/config.ts";
import { unmatchedNotices } from "./config/unmatched.ts";
import { dryRunTable, secondsBetweenLooks, toDryRun } from "./dry_run.ts";
import { KernelTree } from "./host/kernel_tree.ts";
import { LocalHost } from "./host/local_host.ts";
import { seal } from "./host/seal.ts";
import { Shell } from "./host/shell.ts";
import { describeError, getLogger } from "./log.ts";
import { type Machine, openMachine, OWN_PROC } from "./machine.ts";
import { Measuring } from "./measuring.ts";
import { HttpPanel } from "./panel/http_panel.ts";
import { Prober } from "./probe/prober.ts";
import { ProbeSchedule } from "./probe/schedule.ts";
import { toWireBasicInfo, toWireReport } from "./protocol.ts";
import { takeSnapshot } from "./snapshot.ts";
import type { ProbeResult } from "./types.ts";
import { USER_AGENT, VERSION } from "./version.ts";

/** Which panel, as which node. */
export interface Node {
  /** Base URL without a slash at its end. */
  readonly endpoint: string;
  readonly token: string;
}

/** A machine, and what looks at it. */
export interface OpenMachine {
  readonly host: LocalHost;
  readonly tree: KernelTree;
  readonly machine: Machine;
}

/**
 * Opens this machine, measured as the configuration wants it.
 *
 * @throws {UsageError} When there is no `/proc` where one was named.
 */
export function openThisMachine(config: Config, arch: string): OpenMachine {
  const host = hostWith(config.hostProc);
  const { proc } = host.roots;
  if (!host.exists(`${proc}/stat`)) {
    throw new UsageError(`Cannot read ${proc}/stat: HOST_PROC must name a Linux machine's /proc`);
  }
  const tree = new KernelTree(host);
  return { host, tree, machine: openMachine(host, tree, { ...config, arch }) };
}

/**
 * This machine, or the one that another `/proc` belongs to. Where that one's root was mounted around
 * its `/proc` it is taken; else what its first process sees, which takes more rights than many
 * containers have.
 */
function hostWith(hostProc: string): LocalHost {
  const own = new LocalHost();
  if (hostProc === "" || hostProc === OWN_PROC) return own;
  const around = hostProc.slice(0, hostProc.lastIndexOf("/"));
  const isRoot = around !== "" && own.exists(`${around}/etc`);
  const root = isRoot ? around : `${hostProc}/1/root`;
  const sys = own.exists(`${root}/sys/class/net`) ? `${root}/sys` : own.roots.sys;
  return new LocalHost({ proc: hostProc, sys, root });
}

/** Finds out the public addresses as the configuration wants it. */
function publicAddresses(config: Config, { host, machine }: OpenMachine): PublicAddresses {
  const counted = (name: string) =>
    machine.collectors.traffic.interfaces().some((it) => it.counted && it.name === name);
  return new PublicAddresses({
    custom: {
      ...(config.customIpv4 && { ipv4: config.customIpv4 }),
      ...(config.customIpv6 && { ipv6: config.customIpv6 }),
    },
    fromInterfaces: config.addressesFromNic,
    services: config.ipServices,
    interfaceAddresses: () => host.interfaceAddresses(),
    isCounted: counted,
  });
}

/** What would be reported, as text; `signal` ends the wait between the two looks. */
export async function dryRun(
  config: Config,
  options: { signal: AbortSignal; arch: string },
): Promise<string> {
  const open = openThisMachine(config, options.arch);
  const { machine, host } = open;
  const addresses = publicAddresses(config, open);
  const secondsBetween = secondsBetweenLooks(config.intervalSeconds);
  takeSnapshot(machine.collectors);
  const [found] = await Promise.all([
    addresses.lookup(options.signal),
    delay(secondsBetween * 1000, options),
  ]);
  const snapshot = takeSnapshot(machine.collectors);
  const told = toDryRun({
    machine,
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
  });
  for (const notice of unmatched(config, machine)) {
    getLogger("agent").warning("{notice}", { notice });
  }
  return config.json ? JSON.stringify(told, null, 2) + "\n" : dryRunTable(told);
}

/** Reports this machine to a panel until `signal` aborts. */
export async function reportTo(
  node: Node,
  config: Config,
  options: { signal: AbortSignal; arch: string },
): Promise<void> {
  const open = openThisMachine(config, options.arch);
  const measuring = new Measuring(open.machine.collectors);
  const addresses = publicAddresses(config, open);
  let shell: Shell | undefined;

  function afterFirstReport(onResult: (result: ProbeResult) => void): AfterFirstReport {
    const facts = open.machine.readFacts();
    shell = startShell(open.host.roots);
    seal();
    open.tree.useShell(shell);
    sayWhatCounts(open.machine, config);
    const prober = new Prober({ shell });
    const probes = new ProbeSchedule({
      probe: (target, options) => prober.probe(target, options),
      onResult,
    });
    return { facts, probes };
  }

  try {
    const running = new Agent({
      panel: new HttpPanel({ ...node, userAgent: USER_AGENT }),
      intervalMs: intervalSeconds(config) * 1000,
      infoIntervalMs: config.infoIntervalMinutes * 60_000,
      version: VERSION,
      takeSnapshot: () => measuring.take(),
      lookUpAddresses: (signal) => addresses.lookup(signal),
      afterFirstReport,
    }).run(options.signal);
    // Said only now, when the first report is on its way.
    sayWhoReports(node, config);
    await running;
  } finally {
    await shell?.close();
  }
}

/** The one thing that can start programs after the seal; without it there are no ICMP probes. */
function startShell(roots: { proc: string; sys: string }): Shell | undefined {
  try {
    return Shell.start(roots);
  } catch (error) {
    getLogger("agent").warning("{error}", { error: describeError(error) });
    return undefined;
  }
}

function sayWhoReports({ endpoint }: Node, config: Config): void {
  const { host, pathname } = new URL(endpoint);
  getLogger("agent").info("komari-agent-deno {version} reports to {panel} every {seconds} s", {
    version: VERSION,
    panel: host + pathname.replace(/\/$/, ""),
    seconds: intervalSeconds(config),
  });
}

function sayWhatCounts(machine: Machine, config: Config): void {
  const log = getLogger("agent");
  const { traffic, disk } = machine.collectors;
  const notices = unmatched(config, machine);
  const text = "Counting the traffic of {interfaces}, and the space of {mountPoints}";
  const values = {
    interfaces: counted(traffic.interfaces()),
    mountPoints: counted(disk.mounts().map((it) => ({ ...it, name: it.mountPoint }))),
    notices: notices.join("; "),
  };
  if (notices.length === 0) log.info(text, values);
  else log.warning(`${text}: {notices}`, values);
  log.info("Remote control is off, and the process has given up the right to start programs");
}

/** What the user's lists name and this machine does not have. */
function unmatched(config: Config, { collectors: { traffic, disk } }: Machine): string[] {
  return unmatchedNotices(config, {
    interfaces: traffic.interfaces(),
    mountPoints: disk.mounts(),
  });
}

/** HTTP's own, as in the panel's interface. */
function intervalSeconds(config: Config): number {
  return config.intervalSeconds ?? 5;
}

function counted(decisions: readonly { name: string; counted: boolean }[]): string {
  const names = decisions.filter((it) => it.counted).map((it) => it.name);
  return names.length === 0 ? "nothing" : names.join(", ");
}
