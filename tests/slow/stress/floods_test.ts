import { assert, assertLess, assertLessOrEqual } from "@std/assert";
import { delay } from "@std/async/delay";
import { V8_FLAGS } from "../../../build/runtime_flags.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { ANSWER_FLOODS, answerFlood, floodFault, FLOODS } from "../../test_panel/floods.ts";
import type { TestFault } from "../../test_panel/test_fault.ts";
import { startTestPanel } from "../../test_panel/test_panel.ts";
import { anonymousMb, cpuSeconds } from "./seen_process.ts";

// A panel that sends as much over its WebSocket, or as its answers by POST, as the agent reads.

const TOKEN = "fl00d";
/** After four seconds the agent returns memory and drops pages of its program, which come back. */
const SETTLED_REPORTS = 8;
const FLOOD_MS = 40_000;
const UNBOUNDED_MS = 8_000;
const SAMPLE_MS = 100;
const MAX_MORE_MB = 16;
const MAX_CORES = 0.2;
const MAX_ANSWER_CORES = 0.05;
/** The same without the limit, however busy this machine is with other things. */
const MANY_TIMES = 8;
/** Of the pace of an agent that is not flooded meanwhile: the WebSocket is closed once or twice. */
const MIN_PACE = 0.6;
/** Those of the seven that are tried without the limit, too: many small messages, and large ones. */
const UNBOUNDED = ["small valid orders", "large messages"];

interface Outcome {
  readonly title: string;
  readonly moreMb: number;
  readonly cores: number;
  readonly reports: number;
  readonly closed: number;
  readonly log: string;
}

/** Floods an agent of its own for so long. */
async function flood(
  { fault, version = 2, ms, runtime = [] }: {
    fault: TestFault;
    version?: 1 | 2;
    ms: number;
    runtime?: readonly string[];
  },
): Promise<Outcome> {
  await using panel = await startTestPanel({ token: TOKEN });
  const { state } = panel;
  // Orders of probes are of this task.
  state.tasks = [{ id: 1, name: "", type: "tcp", target: "127.0.0.1:1", interval: 1_000_000 }];
  const v1 = version === 1 ? ["--protocol-version", "1", "--enable-remote-control"] : [];
  await using agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "1", ...v1], {
    runtime: [V8_FLAGS, ...runtime],
  });
  const signal = AbortSignal.timeout(120_000);
  await state.until(({ counts }) => counts.reports >= SETTLED_REPORTS, { signal });
  const before = { mb: anonymousMb(agent.pid), cpu: cpuSeconds(agent.pid), ...state.counts };
  const startMs = performance.now();
  let peakMb = before.mb;
  await panel.setFault(fault);
  while (performance.now() - startMs < ms) {
    peakMb = Math.max(peakMb, anonymousMb(agent.pid));
    await delay(SAMPLE_MS);
  }
  const seconds = (performance.now() - startMs) / 1000;
  const outcome = {
    title: `${fault.name} over v${version}`,
    moreMb: peakMb - before.mb,
    cores: (cpuSeconds(agent.pid) - before.cpu) / seconds,
    reports: (state.counts.reports - before.reports) / seconds,
    closed: agent.lines("sends too many messages").length,
    log: agent.output,
  };
  console.log(
    `flood: ${outcome.title}: ${outcome.moreMb.toFixed(1)} MB more, ${
      outcome.cores.toFixed(3)
    } of a core, ${outcome.reports.toFixed(2)} reports a second, closed ${outcome.closed} times`,
  );
  return outcome;
}

const WITHOUT_LIMITS = `--preload=${new URL("without_limits.ts", import.meta.url).pathname}`;

Deno.test({
  name: "the agent spends little on a panel that floods it, and much only without its limit",
  ignore: Deno.build.os !== "linux",
  async fn(context) {
    const floods = FLOODS.flatMap((name) =>
      ([1, 2] as const).map((version) => ({ name, version }))
    );
    const [calm, ...outcomes] = await Promise.all([
      flood({ fault: answerFlood("none"), ms: FLOOD_MS }),
      ...floods.map(({ name, version }) =>
        flood({ fault: floodFault(name, version), version, ms: FLOOD_MS })
      ),
    ]);
    for (const outcome of outcomes) {
      await context.step(outcome.title, () => {
        assertLess(outcome.moreMb, MAX_MORE_MB, "MB more");
        assertLess(outcome.cores, MAX_CORES, "of a core");
        assertLess(MIN_PACE * calm.reports, outcome.reports, outcome.log);
        assertLessOrEqual(1, outcome.closed, outcome.log);
      });
    }
    const runtime = [WITHOUT_LIMITS];
    for (const name of UNBOUNDED) {
      await context.step(`${name} without the limit`, async () => {
        const limited = outcomes.find(({ title }) => title === `${name} over v2`);
        const { moreMb, cores, log } = await flood({
          fault: floodFault(name, 2),
          ms: UNBOUNDED_MS,
          runtime,
        });
        const usualCores = limited?.cores ?? Infinity;
        assert(cores > MANY_TIMES * usualCores || moreMb > MAX_MORE_MB, log);
      });
    }
  },
});

Deno.test({
  name:
    "the agent spends little on answers by POST that flood it, and much only without its limits",
  ignore: Deno.build.os !== "linux",
  async fn(context) {
    const calm = await flood({ fault: answerFlood("none"), ms: UNBOUNDED_MS });
    for (const name of ANSWER_FLOODS) {
      await context.step(name, async () => {
        const fault = answerFlood(name);
        const limited = await flood({ fault, ms: UNBOUNDED_MS });
        assertLess(limited.moreMb, MAX_MORE_MB, "MB more");
        assertLess(limited.cores - calm.cores, MAX_ANSWER_CORES, "of a core");
        const { moreMb, cores, log } = await flood({
          fault,
          ms: UNBOUNDED_MS,
          runtime: [WITHOUT_LIMITS],
        });
        assert(cores > 3 * limited.cores || moreMb > MAX_MORE_MB, log);
      });
    }
  },
});
