/**
 * The agent's cost beside that of simpler programs, measured at the same time: machines differ, and
 * are never quiet. `deno task bench` runs it; no figure makes it fail.
 *
 * @module
 */

import { type Comparison, formatTable, judge, noiseWithin, summarize } from "./comparison.ts";
import { Resources } from "./resources.ts";
import { compareCrowds, compareRunning, CROWD, type Hosts } from "./running_cost.ts";
import {
  type Rounds,
  snapshotAndBareReading,
  snapshotWithCrowdAndWithout,
} from "./snapshot_cost.ts";
import { compareScrapes } from "./scrape_cost.ts";
import { compareStarts } from "./start_cost.ts";

async function measureAll(resources: Resources): Promise<void> {
  await resources.programs.write();
  const snapshot = (what: string, aim: number, rounds: Rounds) => {
    return { what, unit: "µs", ...rounds, noise: noiseWithin(rounds.theirs), aim };
  };
  const comparisons: Comparison[] = [
    snapshot("a snapshot / bare re-reading of its files", 2.5, snapshotAndBareReading()),
    snapshot(
      "a snapshot with 10000 connections / without",
      1.05,
      await snapshotWithCrowdAndWithout(),
    ),
  ];
  const { comparison: starts, report } = await compareStarts(resources);
  const hosts = await openHosts(resources);
  const running = await compareRunning(resources, { report, hosts });
  comparisons.push(starts, ...running, ...await compareScrapes(resources));
  await hosts?.crowded[Symbol.asyncDispose]();
  const crowd = hosts && running.at(-1);
  if (crowd && judge(crowd) !== "within") comparisons.push(...await compareCrowds(resources));
  console.log(`${formatTable(comparisons)}\n\n${summarize(comparisons)}`);
}

async function openHosts(resources: Resources): Promise<Hosts | undefined> {
  try {
    return {
      quiet: await resources.openNamespace(),
      crowded: await resources.openNamespace(CROWD),
    };
  } catch {
    console.log("A crowded host is not measured: it needs root, unshare and ip\n");
    return undefined;
  }
}

const resources = await Resources.create();
let closing: Promise<void> | undefined;
const close = () => closing ??= resources[Symbol.asyncDispose]();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, async () => {
    await close();
    Deno.exit(130);
  });
}
try {
  await measureAll(resources);
} catch (error) {
  // An interruption ends the programs that are being measured.
  if (closing === undefined) throw error;
} finally {
  await close();
}
Deno.exit();
