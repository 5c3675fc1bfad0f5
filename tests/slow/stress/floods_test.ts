import { assert, assertLess, assertLessOrEqual } from "@std/assert";
import { delay } from "@std/async/delay";
import { V8_FLAGS } from "../../../build/runtime_flags.ts";
import { AgentProcess } from "../../end_to_end/agent_process.ts";
import { ANSWER_FLOODS, answerFlood, floodFault, FLOODS } from "../../test_panel/floods.ts";
import type { TestFault } from "../../test_panel/test_fault.ts";
import { startTestPanel, type TestPanel } from "../../test_panel/test_panel.ts";
import { anonymousMb, cpuSeconds } from "./seen_process.ts";
import { makeCertificate } from "../../net/test_authority.ts";
import { onLinux, onlyIf, works } from "../../only_on.ts";
import { TempFolder } from "../../temp_folder.ts";

// A panel that sends as much over its WebSocket, or as its answers by POST, as the agent reads.

const TOKEN = "fl00d";
/** After four seconds the agent returns memory and drops pages of its program, which come back. */
const SETTLED_REPORTS = 8;
const FLOOD_MS = 40_000;
const ANSWERS_MS = 8_000;
const SAMPLE_MS = 100;
const MAX_MORE_MB = 16;
const MAX_CORES = 0.2;
const MAX_ANSWER_CORES = 0.05;
const MAX_TICKETS_CORES = 0.5;
/** So many times the processor time of the agent with its limit is what one without it spends… */
const MANY_TIMES = { messages: 8, answers: 3 } as const;
/** …in half the time that the other would need for it, however busy this machine is. */
const HALF = 0.5;
/** Of the pace of an agent that is not flooded meanwhile: the WebSocket is closed once or twice. */
const MIN_PACE = 0.6;
/** Those that are tried by version 1 and without the limit, too: many small messages, and large ones. */
const UNBOUNDED = ["small valid orders", "large messages"];

const WITHOUT_LIMITS = `--preload=${new URL("without_limits.ts", import.meta.url).pathname}`;

interface Outcome {
  readonly title: string;
  readonly moreMb: number;
  readonly cpuSeconds: number;
  readonly cores: number;
  readonly reports: number;
  readonly closed: number;
  readonly log: string;
}

/** What an agent is flooded with. */
interface Flood {
  readonly title: string;
  /** Without one it is left in peace. */
  readonly fault?: TestFault;
  readonly version?: 1 | 2;
  readonly isLimited?: boolean;
}

/** An agent with a panel of its own, at rest until it is flooded. */
class FloodedAgent implements AsyncDisposable {
  readonly #flood: Flood;
  readonly #panel: TestPanel;
  readonly #agent: AgentProcess;

  private constructor(flood: Flood, panel: TestPanel, agent: AgentProcess) {
    this.#flood = flood;
    this.#panel = panel;
    this.#agent = agent;
  }

  /** Starts agents at the same time, and waits until they have settled. */
  static all(floods: readonly Flood[]): Promise<FloodedAgent[]> {
    return Promise.all(floods.map((flood) => FloodedAgent.#start(flood)));
  }

  static async #start(flood: Flood): Promise<FloodedAgent> {
    const panel = await startTestPanel({ token: TOKEN });
    const { state } = panel;
    // Orders of probes are of this task.
    state.tasks = [{ id: 1, name: "", type: "tcp", target: "127.0.0.1:1", interval: 1_000_000 }];
    const v1 = flood.version === 1 ? ["--protocol-version", "1", "--enable-remote-control"] : [];
    const runtime = [V8_FLAGS, ...flood.isLimited === false ? [WITHOUT_LIMITS] : []];
    const agent = new AgentProcess(["-e", panel.url, "-t", TOKEN, "-i", "1", ...v1], { runtime });
    await state.until(({ counts }) => counts.reports >= SETTLED_REPORTS);
    return new FloodedAgent(flood, panel, agent);
  }

  /** Floods it for so long, or until it has spent enough, and ends it. */
  async flood(
    ms: number,
    isEnough: (spent: Pick<Outcome, "moreMb" | "cpuSeconds">) => boolean = () => false,
  ): Promise<Outcome> {
    await using _ends = this;
    const { state } = this.#panel;
    const { pid } = this.#agent;
    const before = { mb: anonymousMb(pid), cpu: cpuSeconds(pid), ...state.counts };
    const startMs = performance.now();
    const spent = { moreMb: 0, cpuSeconds: 0 };
    await this.#panel.setFault(this.#flood.fault);
    while (performance.now() - startMs < ms && !isEnough(spent)) {
      await delay(SAMPLE_MS);
      spent.moreMb = Math.max(spent.moreMb, anonymousMb(pid) - before.mb);
      spent.cpuSeconds = cpuSeconds(pid) - before.cpu;
    }
    const seconds = (performance.now() - startMs) / 1000;
    const outcome = {
      title: this.#flood.title,
      ...spent,
      cores: spent.cpuSeconds / seconds,
      reports: (state.counts.reports - before.reports) / seconds,
      closed: this.#agent.lines("sends too many messages").length,
      log: this.#agent.output,
    };
    console.log(
      `flood: ${outcome.title}${this.#flood.isLimited === false ? " without the limit" : ""}: ${
        outcome.moreMb.toFixed(1)
      } MB more, ${outcome.cores.toFixed(3)} of a core, ${
        outcome.reports.toFixed(2)
      } reports a second, closed ${outcome.closed} times`,
    );
    return outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent[Symbol.asyncDispose]();
    await this.#panel.close();
  }
}

/**
 * Floods these at the same time, and those without limits one after the other, each until it has spent
 * so many times the time of the processor that its like has spent with limits, or much memory.
 */
async function floodAll(
  { limited, unlimited, ms, manyTimes }: {
    limited: readonly Flood[];
    unlimited: readonly Flood[];
    ms: number;
    manyTimes: number;
  },
): Promise<{ limited: Outcome[]; unlimited: { outcome: Outcome; isMuch: boolean }[] }> {
  await using stack = new AsyncDisposableStack();
  const agents = await FloodedAgent.all([...limited, ...unlimited]);
  for (const agent of agents) stack.use(agent);
  const outcomes = await Promise.all(
    agents.slice(0, limited.length).map((agent) => agent.flood(ms)),
  );
  const without: { outcome: Outcome; isMuch: boolean }[] = [];
  for (const [index, agent] of agents.slice(limited.length).entries()) {
    const like = outcomes.find(({ title }) => title === unlimited[index]?.title);
    const isMuch = ({ cpuSeconds, moreMb }: Pick<Outcome, "moreMb" | "cpuSeconds">) =>
      cpuSeconds > manyTimes * (like?.cpuSeconds ?? Infinity) || moreMb > MAX_MORE_MB;
    const outcome = await agent.flood(manyTimes * HALF * ms, isMuch);
    without.push({ outcome, isMuch: isMuch(outcome) });
  }
  return { limited: outcomes, unlimited: without };
}

onLinux.test("the agent spends little on a panel that floods it, and much only without its limit", async (context) => {
  const over = (version: 1 | 2) => (name: string) => ({
    title: `${name} over v${version}`,
    fault: floodFault(name, version),
    version,
  });
  const floods = [...FLOODS.map(over(2)), ...UNBOUNDED.map(over(1))];
  const { limited: [calm, ...outcomes], unlimited } = await floodAll({
    limited: [{ title: "nothing" }, ...floods],
    unlimited: UNBOUNDED.map((name) => ({
      title: `${name} over v2`,
      fault: floodFault(name, 2),
      isLimited: false,
    })),
    ms: FLOOD_MS,
    manyTimes: MANY_TIMES.messages,
  });
  assert(calm !== undefined);
  for (const outcome of outcomes) {
    await context.step(outcome.title, () => {
      assertLess(outcome.moreMb, MAX_MORE_MB, "MB more");
      assertLess(outcome.cores - calm.cores, MAX_CORES, "of a core");
      assertLess(MIN_PACE * calm.reports, outcome.reports, outcome.log);
      assertLessOrEqual(1, outcome.closed, outcome.log);
    });
  }
  for (const { outcome: { title, log }, isMuch } of unlimited) {
    await context.step(`${title} without the limit`, () => assert(isMuch, log));
  }
});

onLinux.test("the agent spends little on answers by POST that flood it, and much only without its limits", async (context) => {
  const floods = ANSWER_FLOODS.map((name) => ({ title: name, fault: answerFlood(name) }));
  const { limited: [calm, ...outcomes], unlimited } = await floodAll({
    limited: [{ title: "no answers", fault: answerFlood("none") }, ...floods],
    unlimited: floods.map((flood) => ({ ...flood, isLimited: false })),
    ms: ANSWERS_MS,
    manyTimes: MANY_TIMES.answers,
  });
  assert(calm !== undefined);
  for (const [index, limited] of outcomes.entries()) {
    await context.step(limited.title, () => {
      assertLess(limited.moreMb, MAX_MORE_MB, "MB more");
      assertLess(limited.cores - calm.cores, MAX_ANSWER_CORES, "of a core");
      const without = unlimited[index];
      assert(without?.isMuch, without?.outcome.log);
    });
  }
});

/** What an agent spends in a second on a panel by TLS that answers its reports so. */
async function coresByTls(
  program: string,
  mode: string,
  folder: string,
): Promise<number> {
  const panel = new Deno.Command(program, {
    args: [`${folder}/certificate.pem`, `${folder}/key.pem`, mode],
    stdout: "piped",
  }).spawn();
  const { value } = await panel.stdout.getReader().read();
  const endpoint = `https://localhost:${new TextDecoder().decode(value).trim()}`;
  const words = ["-e", endpoint, "-t", TOKEN, "-i", "1", "--protocol-version", "1"];
  await using agent = new AgentProcess([...words, "--ca-cert", `${folder}/authority.pem`], {
    runtime: [V8_FLAGS],
  });
  await agent.says("sealed by the kernel");
  await delay(SETTLED_REPORTS * 1000);
  const [startMs, before] = [performance.now(), cpuSeconds(agent.pid)];
  await delay(ANSWERS_MS);
  const cores = (cpuSeconds(agent.pid) - before) / ((performance.now() - startMs) / 1000);
  panel.kill("SIGKILL");
  await panel.status;
  console.log(`flood: TLS ${mode}: ${cores.toFixed(3)} of a core`);
  return cores;
}

const certificate = await makeCertificate();
const withTls = onlyIf(
  certificate !== undefined && Deno.build.os === "linux" &&
    await works(
      ["gcc", "-E", "-include", "openssl/ssl.h", "-xc", "/dev/null"],
      "TLS: OpenSSL for gcc",
    ),
);

withTls.test("the agent spends little on TLS records that hold a byte or nothing", async (context) => {
  if (certificate === undefined) return;
  using folder = new TempFolder();
  const program = `${folder.path}/panel`;
  const source = new URL("tls_flood.c", import.meta.url).pathname;
  const args = ["-O2", "-o", program, source, "-lssl", "-lcrypto", "-lpthread"];
  assert((await new Deno.Command("gcc", { args }).output()).success);
  for (const name of ["certificate", "key", "authority"] as const) {
    Deno.writeTextFileSync(`${folder.path}/${name}.pem`, certificate[name]);
  }
  const limits = {
    records: MAX_ANSWER_CORES,
    updates: MAX_ANSWER_CORES,
    mixed: MAX_CORES,
    // They can't be told apart from data on its way, and are not bounded: as much as the page says.
    tickets: MAX_TICKETS_CORES,
  };
  const of = (mode: string) => coresByTls(program, mode, folder.path);
  const modes = Object.keys(limits).map(async (mode) => [mode, await of(mode)] as const);
  const [calm, ...figures] = await Promise.all([of("calm"), ...modes]);
  const cores: Record<string, number> = Object.fromEntries(figures);
  for (const [mode, limit] of Object.entries(limits)) {
    await context.step(mode, () => assertLess((cores[mode] ?? NaN) - calm, limit, "of a core"));
  }
});
