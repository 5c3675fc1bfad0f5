import { delay } from "@std/async/delay";
import { type Comparison, noiseOf } from "./comparison.ts";
import type { MeasuredProcess } from "./process_cost.ts";
import type { Resources } from "./resources.ts";

/** As Debian calls it. */
const EXPORTER = "prometheus-node-exporter";

const WARM_UP_SCRAPES = 100;
const WINDOWS = 12;
const SCRAPES_PER_WINDOW = 10;
const PAUSE_MS = 100;

/**
 * CPU per scrape of an agent, beside that of node_exporter on the same machine, both asked by turns;
 * and an agent's memory with metrics beside that without. The agent's cost includes its reports.
 */
export async function compareScrapes(resources: Resources): Promise<Comparison[]> {
  const { programs } = resources;
  const [panel, other] = [await resources.openPanel(), await resources.openPanel()];
  const ports = { agent: freePort(), twin: freePort(), exporter: freePort() };
  const exporter = startExporter(resources, ports.exporter);
  if (exporter === undefined) {
    console.log(`A scrape is not measured: it needs Debian's package ${EXPORTER}\n`);
    return [];
  }
  const silent = resources.start(programs.agent(other));
  const targets = (["agent", "twin"] as const).map((name) => {
    const args = programs.agent(panel, "--metrics", `127.0.0.1:${ports[name]}`);
    return { process: resources.start(args), port: ports[name] };
  });
  targets.push({ process: exporter, port: ports.exporter });
  const [ours = [], twin = [], theirs = []] = await cpuPerScrape(targets);
  const noise = noiseOf(ours, twin);
  const comparisons: Comparison[] = [
    { what: "CPU per scrape / node_exporter", unit: "µs", ours, theirs, noise, aim: 1 },
  ];
  const megabytes = (process: MeasuredProcess) => [process.memory().anonymousKb / 1024];
  const [agent = [], second = []] = targets.map(({ process }) => megabytes(process));
  comparisons.push({
    what: "anonymous memory with metrics - without",
    unit: "MB",
    ours: agent,
    theirs: megabytes(silent),
    noise: noiseOf(agent, second),
    aim: 6,
    isDifference: true,
  });
  return comparisons;
}

function startExporter(resources: Resources, port: number): MeasuredProcess | undefined {
  try {
    const args = [`--web.listen-address=127.0.0.1:${port}`];
    return resources.start(args, { program: EXPORTER });
  } catch {
    return undefined;
  }
}

/** Microseconds per scrape in each window, of each target. */
async function cpuPerScrape(
  targets: readonly { process: MeasuredProcess; port: number }[],
): Promise<number[][]> {
  const scrapeAll = async (count: number) => {
    for (let scrape = 0; scrape < count; scrape++) {
      for (const { port, process } of targets) await scrapeOnce(port, process.ended);
      await delay(PAUSE_MS);
    }
  };
  await scrapeAll(WARM_UP_SCRAPES);
  const costs: number[][] = targets.map(() => []);
  for (let window = 0; window < WINDOWS; window++) {
    const before = targets.map(({ process }) => process.cpuUs());
    await scrapeAll(SCRAPES_PER_WINDOW);
    for (const [index, { process }] of targets.entries()) {
      const us = process.cpuUs() - (before[index] ?? NaN);
      costs[index]?.push(us / SCRAPES_PER_WINDOW);
    }
  }
  return costs;
}

/** Waits until the program listens. */
async function scrapeOnce(port: number, ended: AbortSignal): Promise<void> {
  for (;;) {
    ended.throwIfAborted();
    try {
      const response = await fetch(`http://127.0.0.1:${port}/metrics`);
      await response.text();
      return;
    } catch {
      await delay(PAUSE_MS);
    }
  }
}

/** A port that nobody has at this moment. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
