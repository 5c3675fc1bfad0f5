import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describeError, setUpLog } from "../../lib/log/log.ts";
import {
  type DoubtfulAttempts,
  type KnownNode,
  type KnownNodes,
  NodeStore,
  withNode,
} from "../../lib/panel/node_store.ts";
import { PanelError, type PanelFailure } from "../../lib/panel/panel_error.ts";
import {
  NodeRegistration,
  openRegistration,
  registrationWaitMs,
} from "../../lib/panel/registration.ts";
import type { RegistrationOutcome } from "../../lib/panel/registration_client.ts";
import { cases, same } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { configOf } from "../metrics/config_of.ts";
import { type RawPeer, withRawServer } from "../net/raw_server.ts";
import { patience } from "../patience.ts";
import { TempFolder } from "../temp_folder.ts";
import { testsWith } from "../tests_with.ts";
import { type ScriptWords, testScripts } from "./scripts.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const ENDPOINT = "https://panel.example";
const NODE = { endpoint: ENDPOINT, uuid: "u", token: "t" };

function failed(failure: PanelFailure, message = "Cannot register: it failed"): PanelError {
  return new PanelError(message, { failure });
}

/** What becomes of an attempt to register, by its word. */
const OUTCOMES: Readonly<Record<string, RegistrationOutcome>> = {
  failed: { kind: "failed", error: failed("unreachable") },
  refused: { kind: "refused", error: failed("unauthorized", "refused") },
  doubtful: { kind: "doubtful", error: failed("timeout", "late") },
};

/** A store in memory, which can refuse to be written to. */
class FakeStore implements Pick<NodeStore, keyof NodeStore> {
  readonly path = "/state/auto-discovery.state";
  known: KnownNodes = { nodes: [] };
  /** What was done, in its order. */
  readonly calls: string[] = [];
  isClosed = false;
  /** The error of each write, if there is one. */
  error: Error | undefined;

  read = (): KnownNodes => this.known;
  find = (wanted: string): KnownNode | undefined =>
    this.known.nodes.find(({ endpoint }) => endpoint === wanted);
  doubtful = (): DoubtfulAttempts | undefined => this.known.doubtful;
  open = (): Promise<void> => Promise.resolve();
  setDoubtful = (doubtful: DoubtfulAttempts | undefined): Promise<void> =>
    this.#write(`in doubt ${doubtful?.count ?? 0}`, { ...this.known, doubtful });
  save = (node: KnownNode): Promise<void> =>
    this.#write(`saved ${node.token}`, { nodes: withNode(this.known.nodes, node) });

  [Symbol.dispose](): void {
    this.isClosed = true;
  }

  async #write(call: string, known: KnownNodes): Promise<void> {
    this.calls.push(call);
    if (this.error !== undefined) throw this.error;
    await Promise.resolve();
    this.known = known;
  }
}

/** A machine that registers itself, at a panel that answers as a test says; time and log are its own. */
class Machine implements AsyncDisposable {
  readonly time: FakeTime;
  readonly store = new FakeStore();
  /** Why it was not registered, one after the other. */
  readonly problems: (string | undefined)[] = [];
  /** The tokens in use, one after the other. */
  readonly tokens: string[] = [];
  readonly askedAtSeconds: number[] = [];
  /** What becomes of its first attempts, and of all that follow in turn; nodes else. */
  readonly outcomes: string[] = [];
  always: readonly string[] = [];
  answer = (): RegistrationOutcome | Promise<RegistrationOutcome> => {
    if (this.fills) this.store.error = new Error("Cannot write");
    return { kind: "registered", node: { uuid: `u${this.asked}`, token: `t${this.asked}` } };
  };
  /** Whether its disk is full once it was asked. */
  fills = false;
  rediscover = false;
  /** The text of an official agent's file, and how often its panel can't be asked about that. */
  official: string | undefined;
  isOfficialKnown = true;
  unreachable = 0;
  readonly stop = new AbortController();
  readonly log: string[] = [];
  found = "pending";
  #node: NodeRegistration | undefined;

  constructor(time = new FakeTime({ now: 10 * DAY_MS })) {
    this.time = time;
  }

  /** Times that it asked to register. */
  get asked(): number {
    return this.askedAtSeconds.length;
  }

  get node(): NodeRegistration {
    return this.#node ??= this.#create();
  }

  #create(): NodeRegistration {
    const { store, official, tokens, rediscover, stop: { signal } } = this;
    const line = (text: string) => this.log.push(text.replace(/^\S+ +(\S+) +panel:/, "$1"));
    setUpLog({ level: "info", format: "text", secrets: [], forJournal: false, write: line });
    const client = {
      register: async () => {
        store.calls.push("asked");
        const word = this.outcomes.shift() ?? this.always[this.asked % this.always.length] ?? "";
        this.askedAtSeconds.push(Math.round(performance.now() / 1000));
        return OUTCOMES[word] ?? await this.answer();
      },
      isTokenKnown: async (token: string) => {
        if (this.unreachable-- > 0) throw await Promise.resolve(failed("unreachable"));
        return tokens.includes(token) && this.isOfficialKnown;
      },
      diagnose: () => undefined,
    };
    return new NodeRegistration({ endpoint: ENDPOINT, rediscover }, {
      ...{ store, signal, client },
      official: official === undefined ? undefined : { path: "/opt/a.json", text: official },
      onToken: (token) => void tokens.push(token),
      observer: { setProblem: (_part, text) => void this.problems.push(text) },
    });
  }

  /** Begins to find its node. */
  find(): void {
    this.node.find().then(
      (found) => this.found = found ? "found" : "stopped",
      (error) => this.found = describeError(error),
    );
  }

  run = (ms: number): Promise<void> => this.time.run(ms);

  /** Reports by a call each half minute, which ends as `outcome` says. */
  async report(outcome: () => unknown, minutes: number): Promise<void> {
    for (let minute = 0; minute < minutes; minute += 0.5) {
      this.node.onOutcome(outcome());
      await this.run(MINUTE_MS / 2);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using time = this.time;
    this.stop.abort();
    await this.node[Symbol.asyncDispose]();
    await time.run(0);
    setUpLog({ level: "error", format: "text", secrets: [], forJournal: false, write: () => {} });
  }
}

const unknown = failed("unauthorized");
const wait = ({ askedAtSeconds }: Machine, index: number) =>
  (askedAtSeconds[index] ?? NaN) - (askedAtSeconds[index - 1] ?? NaN);
const waits = (machine: Machine) =>
  machine.askedAtSeconds.slice(1).map((_, n) => wait(machine, n + 1));

const words: ScriptWords<Machine> = {
  steps: {
    known: ({ store }, minutes) => {
      const since = minutes && { registeredAtMs: 10 * DAY_MS + Number(minutes) * MINUTE_MS };
      store.known = { nodes: [{ ...NODE, ...since || {} }] };
    },
    elsewhere: ({ store }) => {
      store.known = {
        nodes: [{ ...NODE, endpoint: "https://other.example" }, ...store.known.nodes],
      };
    },
    "in-doubt": ({ store }, day) => {
      const doubtful = { endpoint: ENDPOINT, count: 1, atMs: Number(day) * DAY_MS };
      store.known = { nodes: [], doubtful };
    },
    official: (machine, text) =>
      machine.official = text || JSON.stringify({ uuid: "o", token: "official" }),
    foreign: (machine) => machine.isOfficialKnown = false,
    unreachable: (machine, times) => machine.unreachable = Number(times),
    full: ({ store }) => store.error = new Error("Cannot write to the folder /state"),
    fills: (machine) => machine.fills = true,
    rediscover: (machine) => machine.rediscover = true,
    outcomes: ({ outcomes }, words) => outcomes.push(...words.split(" ")),
    always: (machine, words) => machine.always = words.split(" "),
    find: (machine) => machine.find(),
    stop: ({ stop }) => stop.abort(),
    /** Reports end so for some minutes: `forgotten` is the old token alone. */
    reports(machine, value) {
      const [outcome = "", minutes] = value.split(", ");
      return machine.report(() => {
        if (outcome === "forgotten") return machine.node.token === "t" ? unknown : undefined;
        return outcome === "ok" ? undefined : failed(outcome as PanelFailure);
      }, Number(minutes));
    },
    ended: ({ found }, words) => assertStringIncludes(found, words),
  },
  facts: {
    found: ({ found }) => found,
    token: ({ node }) => node.token,
    tokens: ({ tokens }) => tokens.join(" "),
    saved: ({ store }) => store.known.nodes.map(({ token }) => token).join(" "),
    calls: ({ store }) => store.calls.join(", "),
    asked: (machine) => machine.asked,
    minutes: ({ askedAtSeconds }) => askedAtSeconds.map((second) => second / 60).join(" "),
    shortest: (machine) => Math.min(...waits(machine)),
    longest: (machine) => Math.max(...waits(machine)),
    wait9: (machine) => wait(machine, 9),
    wait10: (machine) => wait(machine, 10),
    doubtful: ({ store }) => store.known.doubtful?.count ?? 0,
    problems: ({ problems }) => `${problems[0]} ${problems.at(-1) ?? "none"}`,
    lines: ({ log }) => log.length,
  },
  run: (machine, ms) => machine.run(ms),
  log: ({ log }) => log,
};

testScripts(
  `
gives the known node without a call
  known; elsewhere; official; find; 0 s; token = t; calls =
saves that it asks, registers, and saves the node, in that order
  find; 0 s; token = t1; saved = t1; calls = in doubt 1, asked, saved t1; lines = 1
  said 1: info Registered at the panel as node u1
makes no call when nothing can be saved
  full; find; 0 s; ended --state-dir names a folder; ended Cannot write to the folder /state; asked = 0
checks the folder again before each call
  outcomes failed; find; 0 s; full; 60 s; ended its token can't be saved; asked = 1
logs a refusal, waits for minutes to an hour, and registers when it is accepted
  outcomes refused refused refused refused refused; find; 7200 s; token = t6; lines = 6; said 1: warning refused
  said 3: warning Still failing; said 1: info The panel answers again; said 1: info Registered at the panel as node u6
  shortest >= 60; longest <= 3600; problems = refused none
counts failures anew after a refusal
  (outcomes failed)×8; outcomes refused failed; find; 600 s; token = t11; wait9 >= 59; wait10 <= 2
retries for as long as the panel can't be reached
  always failed; find; 3600 s; asked >= 101; asked <= 259; doubtful = 0
retries rarely after lost answers, since each may have made a node, also with failures between them
  always doubtful failed; find; 86400 s; asked >= 21; asked <= 99
waits no longer than usual after a clock that was ahead
  in-doubt 99; find; 60 s; token = t1; said 1: Registering in 1 min: the answer to the last attempt was lost
uses a node that can't be saved, and says what a restart does
  fills; find; 0 s; token = t1; said 1: Cannot write; said 1: a restart creates another node
imports an official agent's node that the panel knows, and asks until that is clear
  official; unreachable 24; find; 900 s; token = official; calls = saved official; said 1: Imported the node; said 0: Registered at
registers when an official agent's node is another panel's
  official; foreign; find; 0 s; token = t1; said 1: /opt/a.json
registers when an official agent's node is damaged
  official {"uuid":"o"; find; 0 s; token = t1; said 1: /opt/a.json
registers when an official agent's file holds no node
  official []; find; 0 s; token = t1; said 1: /opt/a.json
registers when an official agent is of the past
  elsewhere; official; find; 0 s; token = t1; said 0: /opt/a.json
ends with the signal, whatever it waits for
  always failed; find; 300 s; stop; 0 s; found = stopped
ends with the signal after a refusal
  always refused; find; 300 s; stop; 0 s; found = stopped
ends with the signal after a lost answer
  always doubtful; find; 300 s; stop; 0 s; found = stopped
ends with the signal while it asks about an official agent's node
  official; unreachable 99; find; 60 s; stop; 0 s; found = stopped
`,
  words,
  { subject: "NodeRegistration.find()", make: () => new Machine() },
);

/** Outcomes of reports, and the minutes at which the machine asks to register. */
const AGAIN = cases(`
reports unauthorized, 35.5 → 10 20.5 31
reports ok, 35.5 →
reports unreachable, 35.5 →
reports rejected, 35.5 →
reports unauthorized, 9.5; reports ok, 0.5; reports unauthorized, 25.5 → 20 30.5
reports unauthorized, 9.5; reports unavailable, 0.5; reports unauthorized, 25.5 → 20 30.5
reports unauthorized, 9.5; reports websocket blocked, 0.5; reports unauthorized, 25.5 → 10 20.5 31
`).map(([reports, minutes]) =>
  `registers again at these minutes: ${minutes || "none"}, after ${reports}
  known; rediscover; always failed; find; 0 s; ${reports}; minutes = ${minutes}
`
);

testScripts(
  `${AGAIN.join("")}
uses and saves the new node, and hides both tokens
  known; rediscover; find; 0 s; reports forgotten, 60; saved = t1; calls = in doubt 1, asked, saved t1; tokens = t t1
  said 1: Registered at the panel as node u1
logs once which option would help where it may not register again
  known; find; 0 s; reports forgotten, 120; asked = 0; lines = 1; said 1: with --rediscover it registers again
registers once a day at most
  known -1; rediscover; find; 0 s; reports forgotten, 60; asked = 0; said 1: once a day at most
registers once a day at most, also with a clock that was ahead
  known 60; rediscover; find; 0 s; reports forgotten, 60; asked = 0; said 1: once a day at most
registers with a clock that was ahead by more than a day
  known 1500; rediscover; find; 0 s; reports forgotten, 11; asked = 1
registers when the day is over, not before
  known -1405; rediscover; find; 0 s; reports forgotten, 34; asked = 0; reports forgotten, 10; asked = 1
keeps the token when it can't register
  known; rediscover; always failed; find; 0 s; reports unauthorized, 43; asked = 4; tokens = t; said 4: Cannot register again:
keeps the token when it is refused
  known; rediscover; always refused; find; 0 s; reports unauthorized, 43; asked = 4; tokens = t; said 4: Cannot register again:
waits a day after an answer that was lost
  known; rediscover; always doubtful; find; 0 s; reports unauthorized, 43; asked = 1; tokens = t; said 1: Cannot register again:
makes no call when nothing can be saved
  known; rediscover; full; find; 0 s; reports unauthorized, 43; asked = 0; tokens = t; said 4: Cannot register again:
`,
  words,
  { subject: "NodeRegistration.onOutcome()", make: () => new Machine() },
);

const { test } = testsWith(() => new Machine());

test("NodeRegistration.find() says where it has saved a new node, and since when it is one", async (machine) => {
  machine.find();
  await machine.run(0);
  const node = { endpoint: ENDPOINT, uuid: "u1", token: "t1", registeredAtMs: 10 * DAY_MS };
  assertEquals(machine.store.known, { nodes: [node] });
  const line = "Registered at the panel as node u1; saved in /state/auto-discovery.state";
  assertEquals(machine.log, [`info ${line}`]);
});

for (const [what, least, most] of [["remembers", 3, 6], ["forgets", 60, 60]] as const) {
  test(`NodeRegistration.find() asks ${least} to ${most} times in 20 minutes of restarts where it ${what}`, async (machine) => {
    let asked = 0;
    let { known } = machine.store;
    for (let restart = 0; restart < 61; restart++) {
      const next = new Machine(machine.time);
      if (what === "remembers") next.store.known = known;
      // The first one is killed before its answer comes.
      next.answer = () => new Promise(() => {});
      if (restart > 0) next.always = ["doubtful"];
      next.find();
      await machine.run(restart === 0 ? 0 : 20_000);
      ({ known } = next.store);
      if (restart > 0) asked += next.asked;
      next.stop.abort();
    }
    assert(asked >= least && asked <= most, `${asked}`);
  });
}

test("NodeRegistration ends when the attempt under way has, and uses what it brought", async (machine) => {
  const held = Promise.withResolvers<RegistrationOutcome>();
  machine.store.known = { nodes: [NODE] };
  machine.rediscover = true;
  machine.find();
  machine.answer = () => held.promise;
  await machine.report(() => unknown, 10.5);
  const ending = machine.node[Symbol.asyncDispose]();
  await machine.run(1_000);
  assertEquals([machine.asked, machine.store.isClosed], [1, false]);
  held.resolve({ kind: "registered", node: { uuid: "u1", token: "t1" } });
  await ending;
  assertEquals([machine.tokens, machine.store.isClosed], [["t", "t1"], true]);
});

Deno.test("registrationWaitMs() grows to half a minute, and to an hour after lost answers and refusals", () => {
  const seconds = (ending: "failed" | "doubtful" | "refused", random: number) =>
    [1, 2, 3, 6, 7, 1000].map((count) => registrationWaitMs(ending, count, random) / 1000);
  same(
    ([ending, random]) => seconds(ending, random),
    [
      [["failed", 1], [1, 2, 4, 30, 30, 30]],
      [["failed", 0], [0.5, 1, 2, 15, 15, 15]],
      [["doubtful", 1], [60, 120, 240, 1920, 3600, 3600]],
      [["refused", 1], [120, 240, 480, 3600, 3600, 3600]],
    ] as const,
  );
});

/** A machine with a folder for its state, at a panel that answers each request so. */
async function withPanel(
  answer: readonly [body: string, status?: string],
  use: (
    machine: { folder: string; origin: string; find(...args: string[]): Promise<string> },
  ) => Promise<void>,
): Promise<void> {
  using folder = new TempFolder();
  Deno.mkdirSync(`${folder.path}/state`, { mode: 0o700 });
  const [body, status] = answer;
  const serve = async (peer: RawPeer) => {
    while (await peer.request() !== undefined) await peer.answer(body, [], status);
  };
  await collectedLog(() =>
    withRawServer(serve, async ({ origin }) => {
      const state = ["--state-dir", `${folder.path}/state`];
      const find = async (...args: string[]) => {
        const config = configOf(["-e", origin, "--auto-discovery", KEY, ...state, ...args]);
        const options = { signal: patience(), onToken: () => {}, observer: undefined };
        await using node = await openRegistration(config, options);
        assertEquals(await node.find(), true);
        return node.token;
      };
      await use({ folder: folder.path, origin, find });
    })
  );
}

const KEY = "d1scovery-k3y";
Deno.test("openRegistration() takes a damaged file for none with --rediscover only", async () => {
  const created = '{"status":"success","data":{"uuid":"n","token":"new"}}';
  await withPanel([created], async ({ folder, find }) => {
    Deno.writeTextFileSync(`${folder}/state/auto-discovery.state`, "{");
    await assertRejects(() => find(), Error, "it is damaged");
    assertEquals(await find("--rediscover"), "new");
  });
});
