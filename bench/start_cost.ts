import type { TestPanel } from "../tests/test_panel/test_panel.ts";
import { type Comparison, noiseWithin } from "./comparison.ts";
import { MeasuredProcess } from "./process_cost.ts";
import type { Resources } from "./resources.ts";

const STARTS = 30;

/**
 * Times starts until the first accepted report, of the agent and of a bare program by turns. Returns
 * an agent's report as well.
 */
export async function compareStarts(
  resources: Resources,
): Promise<{ comparison: Comparison; report: string }> {
  const { programs } = resources;
  const ours = await resources.openPanel();
  const theirs = await resources.openPanel();
  // The first start of each reads the files from the disk.
  await msToFirstReport(ours, programs.agent(ours));
  const report = JSON.stringify(ours.state.reports[0]?.value);
  await msToFirstReport(theirs, programs.barePost(theirs, report));
  const agentMs: number[] = [];
  const bareMs: number[] = [];
  while (bareMs.length < STARTS) {
    agentMs.push(await msToFirstReport(ours, programs.agent(ours)));
    bareMs.push(await msToFirstReport(theirs, programs.barePost(theirs, report)));
  }
  const comparison = {
    what: "start to first accepted report / bare program",
    unit: "ms",
    ours: agentMs,
    theirs: bareMs,
    noise: Math.max(noiseWithin(agentMs), noiseWithin(bareMs)),
    aim: 2,
  };
  return { comparison, report };
}

async function msToFirstReport({ state }: TestPanel, args: readonly string[]): Promise<number> {
  const { reports } = state.counts;
  const startedAtMs = performance.now();
  await using process = new MeasuredProcess(args);
  await state.until(({ counts }) => counts.reports > reports, { signal: process.ended });
  return performance.now() - startedAtMs;
}
