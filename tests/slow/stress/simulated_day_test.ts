import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { delay } from "@std/async/delay";
import { buildPortable } from "../../../build/portable.ts";
import { type FaultName, panelFault } from "../../test_panel/faults.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { writeFastDeno } from "../fast_deno.ts";
import { median } from "../../../bench/comparison.ts";
import { onLinux } from "../../only_on.ts";

/** `.ci/run` is content with fewer. */
const HOURS = Number(Deno.env.get("SIMULATED_HOURS") ?? 24);
const REPORTS_PER_HOUR = 3_600;
/**
 * How much faster the agent's clocks run. A report each 4 ms leaves half of the time for nothing, and a
 * time-out of five seconds is still 20 ms, in which the panel answers.
 */
const TIME_FACTOR = 250;
const SAMPLE_MS = 50;
/** Simulated time. */
const PROBE_INTERVAL_S = 60;
/** Of its memory in the second hour, by an hour: 140 kB are 40 bytes by a report. */
const MAX_GROWTH = 0.006;
/**
 * An hour may be 2 % larger or smaller than the one before: where it looks like growth, as many hours
 * are added so often. What grows goes on growing.
 */
const MAX_DAYS = 3;
/** The smallest number of these is that in the end. */
const LAST_HOURS = 3;
/** Connections for calls that are kept for the next one. */
const KEPT_CONNECTIONS = 4;
/** The runtime ends threads that read files when they have nothing to do for ten seconds. */
const IDLE_THREADS = 4;
/** For `until()`: no hour takes so long, however busy the machine is. */
const PATIENCE_MS = 10 * 60_000;

/**
 * What happens in each hour, and for how much simulated time.
 *
 * Every hour has all of it, so that hours can be compared: what a fault leaves as garbage differs. And
 * the engine keeps what it has compiled, so that the second hour has all of the agent's code.
 */
const FAULTS: readonly (readonly [FaultName, number])[] = [
  ["status-500", 120],
  ["reset", 60],
  ["websocket-refused", 120],
  ["mute", 60],
  ["refuse", 120],
  ["silence", 60],
  ["upgrade-hang", 60],
  ["drop-mid-frame", 30],
  ["close-after-upgrade", 30],
  ["rpc-32000", 30],
  ["302-login", 30],
  ["slow", 60],
  ["close", 30],
];

/** What the kernel says of a process: kilobytes, and numbers. */
type Sample = Record<"anonymous" | "resident" | "threads" | "descriptors", number>;

function sample(pid: number): Sample {
  // Those of `status` are behind by some pages for each processor.
  const memory = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  const kb = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(memory)?.[1] ?? NaN);
  return {
    anonymous: kb("Anonymous") + kb("Swap"),
    resident: kb("Rss") + kb("Swap"),
    threads: [...Deno.readDirSync(`/proc/${pid}/task`)].length,
    descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
  };
}

/**
 * What an hour keeps: its tenth percentile, soon after one of the collections that come each half hour.
 *
 * The garbage until the next one is about 4 MB, and no growth. Medians and maxima differ by 3 % between hours,
 * since collections come at other reports in each; the minimum is a moment during a collection.
 */
function keptIn(samples: readonly Sample[]): Sample {
  const of = (field: keyof Sample) =>
    samples.map((one) => one[field]).sort((a, b) => a - b)[Math.floor(samples.length / 10)] ?? NaN;
  return {
    anonymous: of("anonymous"),
    resident: of("resident"),
    threads: of("threads"),
    descriptors: of("descriptors"),
  };
}

/** Whether the memory of hours grows, the first of them apart: by the median slope of all lines through two. */
function isGrowing(hours: readonly Sample[]): boolean {
  return (["anonymous", "resident"] as const).some((field) => {
    const values = hours.slice(1).map((hour) => hour[field]);
    const slopes = values.flatMap((value, index) =>
      values.slice(index + 1).map((later, more) => (later - value) / (more + 1))
    );
    return median(slopes) > (values[0] ?? NaN) * MAX_GROWTH;
  });
}

/** Orders a probe of each kind once in a while until the signal aborts. */
async function orderProbes(panel: TestPanel, { signal }: { signal: AbortSignal }) {
  while (!signal.aborted) {
    for (const { id, type, target } of panel.state.tasks) {
      panel.node.sendPing({ id, kind: type, target });
    }
    await delay(PROBE_INTERVAL_S * 1000 / TIME_FACTOR, { signal }).catch(() => {});
  }
}

/** Waits until so many reports have arrived since the start. */
function untilReports(panel: TestPanel, reports: number): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  return panel.state.until(({ counts }) => counts.reports >= reports, { signal });
}

/** Plays the faults, at equal distances by the reports of an hour, and waits for its last report. */
async function playHour(panel: TestPanel, hour: number): Promise<void> {
  const distance = Math.floor(REPORTS_PER_HOUR / (FAULTS.length + 1));
  for (const [index, [fault, seconds]] of FAULTS.entries()) {
    await untilReports(panel, hour * REPORTS_PER_HOUR + (index + 1) * distance);
    await panel.setFault(
      panelFault(fault, fault === "slow" ? { delayMs: 4_000 / TIME_FACTOR } : {}),
    );
    await delay(seconds * 1000 / TIME_FACTOR);
    await panel.setFault(undefined);
  }
  await untilReports(panel, (hour + 1) * REPORTS_PER_HOUR);
}

onLinux.test("the agent is as large after a day of reports and faults as in its second hour", async () => {
  const folder = await Deno.makeTempDir({ prefix: "komari-agent-deno-day-" });
  const ended = new AbortController();
  const panel = await startTestPanel({ pullWaitMs: 25_000 / TIME_FACTOR });
  const here = `127.0.0.1:${panel.port}`;
  // The panel's own timers are not fast: the tasks are known, and ordered here.
  panel.state.tasks = [
    { id: 1, name: "", type: "icmp", target: "127.0.0.1", interval: 86_400 },
    { id: 2, name: "", type: "tcp", target: here, interval: 86_400 },
    { id: 3, name: "", type: "http", target: `http://${here}/`, interval: 86_400 },
  ];
  const hours: Sample[][] = [];
  let sampling: ReturnType<typeof setInterval> | undefined;
  try {
    const program = await buildPortable({ version: "9.8.7", folder });
    await using agent = new AgentProcess(
      ["-e", panel.url, "-t", panel.token, "-i", "1", "--month-rotate", "1"],
      {
        program,
        env: {
          DENO: await writeFastDeno("fast_clock", { folder }),
          TIME_FACTOR: String(TIME_FACTOR),
          RUNTIME_DIRECTORY: folder,
          STATE_DIRECTORY: `${folder}/state`,
        },
      },
    );
    await untilReports(panel, 1);
    const probing = orderProbes(panel, ended);
    sampling = setInterval(() => {
      const hour = Math.floor(panel.state.counts.reports / REPORTS_PER_HOUR);
      (hours[hour] ??= []).push(sample(agent.pid));
    }, SAMPLE_MS);
    const kept: Sample[] = [];
    for (let days = 0; days === 0 || (days < MAX_DAYS && isGrowing(kept)); days++) {
      for (let hour = days * HOURS; hour < (days + 1) * HOURS; hour++) {
        await playHour(panel, hour);
        const inHour = keptIn(hours[hour] ?? []);
        console.log(`hour ${hour + 1}`, inHour);
        kept.push(inHour);
      }
    }
    clearInterval(sampling);
    ended.abort();
    await probing;
    const { code } = await agent.stop();
    assertEquals(code, 0, agent.output);
    assert(!isGrowing(kept), "memory grows from hour to hour");
    const [, second, ...later] = kept;
    assert(second !== undefined && later.length >= LAST_HOURS);
    const inTheEnd = (field: keyof Sample) =>
      Math.min(...later.slice(-LAST_HOURS).map((hour) => hour[field]));
    assertLessOrEqual(inTheEnd("descriptors"), second.descriptors + KEPT_CONNECTIONS);
    assertLessOrEqual(inTheEnd("threads"), second.threads + IDLE_THREADS);
    assertEquals(panel.state.violations, []);
  } finally {
    clearInterval(sampling);
    ended.abort();
    panel.close();
    await Deno.remove(folder, { recursive: true });
  }
});
