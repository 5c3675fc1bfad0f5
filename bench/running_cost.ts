import { delay } from "@std/async/delay";
import type { TestPanel } from "../tests/test_panel/test_panel.ts";
import { type Comparison, noiseOf } from "./comparison.ts";
import type { Crowd, MeasuredNamespace } from "./namespace.ts";
import { cpuPerReport, type Memory, type Span } from "./process_cost.ts";
import type { Resources } from "./resources.ts";

/** The first 70 s are left out: the agent releases memory for the last time a minute after its start. */
const SPAN: Span = { warmUpReports: 70, windows: 12, reportsPerWindow: 10 };

/** What a host of many containers has. */
export const CROWD: Crowd = {
  connections: 10_000,
  interfaces: 500,
  mounts: 2_000,
  processes: 5_000,
};

/** An agent on a quiet machine, and one on a crowded machine. */
export interface Hosts {
  readonly quiet: MeasuredNamespace;
  readonly crowded: MeasuredNamespace;
}

/**
 * Measures CPU per report and memory of all programs in the same minutes, at the pace of a report a
 * second. `report` is what the bare programs send.
 */
export async function compareRunning(
  resources: Resources,
  { report, hosts }: { report: string; hosts: Hosts | undefined },
): Promise<Comparison[]> {
  const { programs } = resources;
  const turns = new Turns(8);
  const measure = (args: (panel: TestPanel) => readonly string[]) =>
    turns.next(async () => {
      const panel = await resources.openPanel();
      const process = resources.start(args(panel));
      const us = await cpuPerReport(process, panel, SPAN);
      return { us, memory: process.memory() };
    });
  const further = await resources.openPanel();
  const idle = resources.start(programs.idle());
  const [post, barePost, socket, twin, bareSocket, two, quietUs, crowdedUs] = await Promise.all([
    measure((panel) => programs.agent(panel, "--protocol-version", "1")),
    measure((panel) => programs.barePost(panel, report)),
    measure((panel) => programs.agent(panel)),
    measure((panel) => programs.agent(panel)),
    measure((panel) => programs.bareSocket(panel, report)),
    measure((panel) => programs.agent(panel, "-e", further.url, "-t", further.token)),
    hosts && turns.next(() => hosts.quiet.measure(SPAN)),
    hosts && turns.next(() => hosts.crowded.measure(SPAN)),
  ]);
  const noise = noiseOf(socket.us, twin.us);
  const cpu = (ours: number[], theirs: number[]) => ({ unit: "µs", ours, theirs, noise });
  const memory = (field: keyof Memory, ours: Memory, theirs: Memory) => ({
    unit: "MB",
    ours: [ours[field] / 1024],
    theirs: [theirs[field] / 1024],
    noise: noiseOf([socket.memory[field]], [twin.memory[field]]),
  });
  const nothing = idle.memory();
  const comparisons: Comparison[] = [
    {
      ...{ what: "CPU per report by POST / bare program", aim: 1.5 },
      ...cpu(post.us, barePost.us),
    },
    {
      ...{ what: "CPU per report by WebSocket / bare program", aim: 1.3 },
      ...cpu(socket.us, bareSocket.us),
    },
    {
      ...{ what: "CPU of a second panel / of the first", aim: 0.4 },
      ...cpu(two.us.map((us, window) => us - (socket.us[window] ?? NaN)), socket.us),
    },
    {
      ...{ what: "resident memory by POST / idle program", aim: 1.2 },
      ...memory("residentKb", post.memory, nothing),
    },
    {
      ...{ what: "resident memory by WebSocket / idle program", aim: 1.2 },
      ...memory("residentKb", socket.memory, nothing),
    },
    {
      ...{ what: "anonymous memory by POST / idle program", aim: 1.3 },
      ...memory("anonymousKb", post.memory, nothing),
    },
    {
      ...{ what: "anonymous memory by WebSocket / idle program", aim: 1.3 },
      ...memory("anonymousKb", socket.memory, nothing),
    },
    {
      ...{ what: "anonymous memory with two panels - with one", aim: 2, isDifference: true },
      ...memory("anonymousKb", two.memory, socket.memory),
    },
  ];
  if (quietUs && crowdedUs) {
    // By the mean, since mounts are read in one of six windows.
    const crowd = { ...cpu(crowdedUs, quietUs), aim: 1.1, judgedBy: "mean" as const };
    comparisons.push({ what: "CPU per report, crowded host / quiet host", ...crowd });
  }
  return comparisons;
}

/** Delays programs, so that they start one after another and report in turns within each second. */
class Turns {
  readonly #count: number;
  #next = 0;

  constructor(count: number) {
    this.#count = count;
  }

  async next<T>(start: () => Promise<T>): Promise<T> {
    await delay(this.#next++ * (1000 + 1000 / this.#count));
    return await start();
  }
}
