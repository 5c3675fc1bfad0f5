/**
 * The agent's cost beside that of simpler programs, measured at the same time: machines differ, and
 * are never quiet. `deno task bench` runs it; no figure makes it fail.
 *
 * @module
 */

import { formatTable, summarize } from "./comparison.ts";
import { Resources } from "./resources.ts";
import { compareRunning, CROWD, type Hosts } from "./running_cost.ts";
import { compareStarts } from "./start_cost.ts";

async function measureAll(resources: Resources): Promise<void> {
  await resources.programs.write();
  const { comparison: starts, report } = await compareStarts(resources);
  const hosts = await openHosts(resources);
  const comparisons = [starts, ...await compareRunning(resources, { report, hosts })];
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
