/**
 * What `--dry-run` does: looks at the machine twice, and sends nothing.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { startShell } from "../agent/start_shell.ts";
import { unmatched } from "../agent/startup_log.ts";
import type { Config } from "../config/config.ts";
import { getLogger } from "../log/log.ts";
import type { OpenedMachine } from "../metrics/machine.ts";
import { openMachine, openPublicAddresses, type Platform } from "../metrics/open_machine.ts";
import { takeSnapshot } from "../metrics/snapshot.ts";
import { toWireBasicInfo, toWireReport } from "../panel/protocol.ts";
import { VERSION } from "../version.ts";
import { dryRunTable, secondsBetweenLooks, toDryRun } from "./dry_run.ts";

/** What would be reported, as text; `signal` ends the wait between the two looks. */
export async function dryRun(
  config: Config,
  options: Platform & { signal: AbortSignal },
): Promise<string> {
  const open = await openMachine(config, options);
  try {
    return await lookTwice(open, config, options.signal);
  } finally {
    await open.close?.();
  }
}

async function lookTwice(
  open: OpenedMachine,
  config: Config,
  signal: AbortSignal,
): Promise<string> {
  const { machine, host } = open;
  const addresses = openPublicAddresses(config, open);
  const secondsBetween = secondsBetweenLooks(config.intervalSeconds);
  const month = config.monthRotate === 0
    ? undefined
    : (await import("../traffic/persistent_traffic.ts")).readTraffic(config, open);
  const collectors = month?.collectors ?? machine.collectors;
  takeSnapshot(collectors);
  const [found] = await Promise.all([
    addresses.lookup(signal),
    delay(secondsBetween * 1000, { signal }),
    askNvidia(open, signal),
  ]);
  await machine.refresh?.();
  const snapshot = takeSnapshot(collectors);
  const told = toDryRun({
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
  });
  for (const notice of unmatched(config, machine)) {
    getLogger("agent").warning("{notice}", { notice });
  }
  return config.json ? JSON.stringify(told, null, 2) + "\n" : dryRunTable(told);
}

/** Asks NVIDIA's cards once, where details of cards are wanted; they answer through a shell only. */
async function askNvidia({ machine: { gpu }, host }: OpenedMachine, signal: AbortSignal) {
  if (gpu === undefined) return;
  const shell = startShell({ ...host.roots, gpu: true });
  try {
    gpu.nvidia.useNvidiaSmi(async () => await shell?.nvidiaSmi({ signal }));
    await gpu.nvidia.settled();
  } finally {
    await shell?.close();
  }
}
