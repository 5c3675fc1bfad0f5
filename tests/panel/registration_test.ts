import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { describeError } from "../../lib/log/log.ts";
import { NodeStore } from "../../lib/panel/node_store.ts";
import { PanelError, type PanelFailure } from "../../lib/panel/panel_error.ts";
import {
  type NodeRegistration,
  openRegistration,
  registrationWaitMs,
} from "../../lib/panel/registration.ts";
import type { RegistrationOutcome } from "../../lib/panel/registration_client.ts";
import { same, sameLater } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { configOf } from "../metrics/config_of.ts";
import { withRawServer } from "../net/raw_server.ts";
import { patience } from "../patience.ts";
import { TempFolder } from "../temp_folder.ts";
import { testsWith } from "../tests_with.ts";
import { ENDPOINT, NODE, RegisteringMachine } from "./registering_machine.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

function failed(failure: PanelFailure, message = "Cannot register: it failed"): PanelError {
  return new PanelError(message, { failure });
}

const FAILED: RegistrationOutcome = { kind: "failed", error: failed("unreachable") };
const REFUSED: RegistrationOutcome = { kind: "refused", error: failed("unauthorized", "refused") };
const DOUBTFUL: RegistrationOutcome = { kind: "doubtful", error: failed("timeout", "late") };

/** The log of `use`, during which time passes only when it says so. */
async function withTime(
  use: (time: FakeTime, lines: string[]) => Promise<void>,
): Promise<string[]> {
  using time = new FakeTime({ now: 10 * DAY_MS });
  const lines = await collectedLog((lines) => use(time, lines));
  return lines.map((line) => line.replace(/^\S+ +(\S+) +panel:/, "$1"));
}

/** The log of a machine that finds its node, or is stopped, while so much time passes. */
function finding(machine: RegisteringMachine, ms: number, token?: string): Promise<string[]> {
  return withTime(async (time) => {
    const found = machine.find();
    await time.run(ms);
    machine.stop.abort();
    await time.run(0);
    assertEquals(await found, token);
  });
}

/** Seconds between the attempts. */
function waits({ askedAtSeconds }: RegisteringMachine): number[] {
  return askedAtSeconds.slice(1).map((second, index) => second - (askedAtSeconds[index] ?? 0));
}

const { test } = testsWith(() => new RegisteringMachine());

test("NodeRegistration.find() gives the known node without a call", async (machine) => {
  machine.store.known = { nodes: [{ ...NODE, endpoint: "https://other.example" }, NODE] };
  machine.official = JSON.stringify({ uuid: "o", token: "official" });
  assertEquals(await machine.find(), "t");
  assertEquals(machine.store.calls, []);
});

test("NodeRegistration.find() saves that it asks, registers, and saves the node, in that order", async (machine) => {
  const log = await finding(machine, 0, "t1");
  assertEquals(machine.store.calls, ["in doubt 1", "asked", "saved t1"]);
  const node = { endpoint: ENDPOINT, uuid: "u1", token: "t1", registeredAtMs: 10 * DAY_MS };
  assertEquals(machine.store.known, { nodes: [node] });
  assertEquals(log, [
    "info Registered at the panel as node u1; saved in /state/auto-discovery.state",
  ]);
});

test("NodeRegistration.find() makes no call when nothing can be saved", async (machine) => {
  machine.store.error = new Error("Cannot write to the folder /state");
  const error = await assertRejects(() => machine.find(), Error, "--state-dir names a folder");
  assertStringIncludes(describeError(error), "Cannot write to the folder /state");
  assertEquals(machine.asked, 0);
});

test("NodeRegistration.find() checks the folder again before each call", async (machine) => {
  machine.outcomes.push(FAILED);
  await withTime(async (time) => {
    const found = assertRejects(() => machine.find(), Error, "its token can't be saved");
    await time.run(0);
    machine.store.error = new Error("full");
    await time.run(MINUTE_MS);
    await found;
  });
  assertEquals(machine.asked, 1);
});

test("NodeRegistration.find() logs a refusal, waits for minutes to an hour, and registers when it is accepted", async (machine) => {
  machine.outcomes.push(...Array(5).fill(REFUSED));
  const log = await finding(machine, 2 * 60 * MINUTE_MS, "t6");
  assertEquals(log.map((line) => line.replace(/after .*|for .*/, "…")), [
    "warning refused; trying again",
    "warning Still failing …",
    "warning Still failing …",
    "warning Still failing …",
    "info The panel answers again …",
    "info Registered at the panel as node u6; saved in /state/auto-discovery.state",
  ]);
  assert(waits(machine).every((wait) => wait >= 60 && wait <= 3600), `${waits(machine)}`);
  assertEquals([machine.problems[0], machine.problems.at(-1)], ["refused", undefined]);
});

test("NodeRegistration.find() counts failures anew after a refusal", async (machine) => {
  machine.outcomes.push(...Array(8).fill(FAILED), REFUSED, FAILED);
  await finding(machine, 10 * MINUTE_MS, "t11");
  const [refusal = 0, failure = 0] = waits(machine).slice(8);
  assert(refusal >= 59 && failure <= 2, `${waits(machine)}`);
});

test("NodeRegistration.find() retries for as long as the panel can't be reached", async (machine) => {
  machine.answer = () => FAILED;
  await finding(machine, 60 * MINUTE_MS);
  assert(machine.asked > 100 && machine.asked < 260, `${machine.asked} tries`);
  assertEquals(machine.store.known.doubtful, undefined, "nothing is in doubt");
});

test("NodeRegistration.find() retries rarely after lost answers, since each may have made a node", async (machine) => {
  // A clear failure behind one makes no less of them.
  machine.answer = () => machine.asked % 2 === 1 ? DOUBTFUL : FAILED;
  await finding(machine, DAY_MS);
  assert(machine.asked > 20 && machine.asked < 70, `${machine.asked} tries in a day`);
});

Deno.test("NodeRegistration.find() waits in the next process, too, after a lost answer, as none without memory does", async () => {
  for (const remembers of [true, false]) {
    const first = new RegisteringMachine();
    first.answer = () => new Promise(() => {});
    let asked = 0;
    await withTime(async (time) => {
      const killed = first.find();
      await time.run(0);
      let { known } = first.store;
      for (let restart = 0; restart < 60; restart++) {
        const next = new RegisteringMachine();
        if (remembers) next.store.known = known;
        next.answer = () => DOUBTFUL;
        const found = next.find();
        await time.run(20_000);
        next.stop.abort();
        await found;
        ({ known } = next.store);
        asked += next.asked;
      }
      first.answer = () => FAILED;
      first.stop.abort();
      killed.catch(() => {});
    });
    if (remembers) assert(asked >= 3 && asked <= 6, `${asked} nodes in 20 minutes`);
    else assertEquals(asked, 60);
  }
});

test("NodeRegistration.find() waits no longer than usual after a clock that was ahead", async (machine) => {
  machine.store.known = {
    nodes: [],
    doubtful: { endpoint: ENDPOINT, count: 1, atMs: 99 * DAY_MS },
  };
  const log = await finding(machine, MINUTE_MS, "t1");
  assertStringIncludes(
    log[0] ?? "",
    "Registering in 1 min: the answer to the last attempt was lost",
  );
});

test("NodeRegistration.find() uses a node that can't be saved, and says what a restart does", async (machine) => {
  const { answer } = machine;
  machine.answer = () => {
    machine.store.error = new Error("Cannot write /state/auto-discovery.state");
    return answer();
  };
  const log = await finding(machine, 0, "t1");
  assertStringIncludes(log.join(), "auto-discovery.state; a restart creates another node");
});

test("NodeRegistration.find() imports an official agent's node that the panel knows, and asks until that is clear", async (machine) => {
  machine.official = JSON.stringify({ uuid: "o", token: "official" });
  let asked = 0;
  machine.isTokenKnown = () =>
    ++asked < 25 ? Promise.reject(failed("unreachable")) : Promise.resolve(true);
  const log = await finding(machine, 15 * MINUTE_MS, "official");
  assertEquals(machine.store.calls, ["saved official"]);
  assertEquals(asked, 25);
  assertEquals(log.filter((line) => line.includes("Imported the node")).length, 1);
  assertEquals(log.filter((line) => line.includes("Registered at")), []);
});

Deno.test("NodeRegistration.find() registers when an official agent's node is another panel's, damaged, or of the past", async () => {
  const whole = JSON.stringify({ uuid: "o", token: "official" });
  for (
    const [official, nodes] of [[whole, 0], ['{"uuid":"o"', 0], ["[]", 0], [whole, 1]] as const
  ) {
    const machine = new RegisteringMachine();
    machine.official = official;
    machine.store.known = {
      nodes: [{ ...NODE, endpoint: "https://other.example" }].slice(0, nodes),
    };
    machine.isTokenKnown = () => Promise.resolve(false);
    const log = await collectedLog(async () => assertEquals(await machine.find(), "t1"));
    assertEquals(log.join().includes("/opt/a.json"), nodes === 0);
  }
});

Deno.test("NodeRegistration.find() ends with the signal, whatever it waits for", async () => {
  for (const outcome of [FAILED, REFUSED, DOUBTFUL]) {
    const machine = new RegisteringMachine();
    machine.answer = () => outcome;
    await finding(machine, 5 * MINUTE_MS);
  }
  const machine = new RegisteringMachine();
  machine.official = JSON.stringify({ uuid: "o", token: "official" });
  machine.isTokenKnown = () => Promise.reject(failed("unreachable"));
  await finding(machine, MINUTE_MS);
});

/** What happens to a node that reports by a call each half minute. */
async function reporting(
  machine: RegisteringMachine,
  outcome: (minute: number, node: NodeRegistration) => unknown,
  { minutes, rediscover = true }: { minutes: number; rediscover?: boolean },
): Promise<string[]> {
  return await withTime(async (time) => {
    await using node = machine.registration({ rediscover });
    await node.find();
    for (let minute = 0; minute < minutes; minute += 0.5) {
      node.onOutcome(outcome(minute, node));
      await time.run(MINUTE_MS / 2);
    }
  });
}

const unknown = failed("unauthorized");
/** The panel has forgotten the old token. */
const forgotten = (_: number, { token }: NodeRegistration) => token === "t" ? unknown : undefined;

Deno.test("NodeRegistration.onOutcome() registers again after ten minutes of nothing but rejection", async () => {
  const except = (other: unknown) => (minute: number) => minute === 9.5 ? other : unknown;
  await sameLater(async (outcome) => {
    const machine = new RegisteringMachine();
    machine.store.known = { nodes: [NODE] };
    machine.answer = () => FAILED;
    await reporting(machine, outcome, { minutes: 35.5 });
    return machine.askedAtSeconds.map((second) => second / 60).join();
  }, [
    [() => unknown, "10,20.5,31"],
    [() => undefined, ""],
    [() => failed("unreachable"), ""],
    [() => failed("rejected"), ""],
    [() => new Error("unauthorized"), ""],
    [except(undefined), "20,30.5"],
    [except(failed("unavailable")), "20,30.5"],
    [except(failed("websocket blocked")), "10,20.5,31"],
  ]);
});

test("NodeRegistration.onOutcome() uses and saves the new node, and hides both tokens", async (machine) => {
  machine.store.known = { nodes: [NODE] };
  const log = await reporting(machine, forgotten, { minutes: 60 });
  assertEquals(machine.store.known.nodes.map(({ token }) => token), ["t1"]);
  assertEquals(machine.store.calls, ["in doubt 1", "asked", "saved t1"]);
  assertEquals([machine.tokens, machine.store.isClosed], [["t", "t1"], true]);
  assertStringIncludes(log.join("\n"), "Registered at the panel as node u1");
});

test("NodeRegistration.onOutcome() logs once which option would help where it may not register again", async (machine) => {
  machine.store.known = { nodes: [NODE] };
  const log = await reporting(machine, forgotten, { minutes: 120, rediscover: false });
  assertEquals([machine.asked, log.length], [0, 1]);
  assertStringIncludes(log.join(), "with --rediscover it registers again");
});

Deno.test("NodeRegistration.onOutcome() registers once a day at most, also with a clock that was ahead", async () => {
  await sameLater(
    async ([sinceMinutes, minutes]) => {
      const machine = new RegisteringMachine();
      const registeredAtMs = 10 * DAY_MS + sinceMinutes * MINUTE_MS;
      machine.store.known = { nodes: [{ ...NODE, registeredAtMs }] };
      const log = await reporting(machine, forgotten, { minutes });
      if (machine.asked === 0) assertStringIncludes(log.join(), "once a day at most");
      return machine.asked;
    },
    [
      [[-1, 60], 0],
      [[60, 60], 0],
      [[25 * 60, 11], 1],
      [[-24 * 60 + 35, 34], 0],
      [[-24 * 60 + 35, 44], 1],
    ] as const,
  );
});

Deno.test("NodeRegistration.onOutcome() keeps the token when it can't register, and waits a day when that is in doubt", async () => {
  await sameLater(async (outcome) => {
    const machine = new RegisteringMachine();
    machine.store.known = { nodes: [NODE] };
    if (outcome === undefined) machine.store.error = new Error("Cannot write");
    else machine.answer = () => outcome;
    const log = await reporting(machine, () => unknown, { minutes: 43 });
    assertEquals(machine.tokens, ["t"]);
    assertStringIncludes(log.join("\n"), "Cannot register again: ");
    return machine.asked;
  }, [[FAILED, 4], [DOUBTFUL, 1], [REFUSED, 4], [undefined, 0]]);
});

test("NodeRegistration ends when the attempt under way has, and uses what it brought", async (machine) => {
  machine.store.known = { nodes: [NODE] };
  const held = Promise.withResolvers<RegistrationOutcome>();
  const outcome = machine.answer;
  machine.answer = () => held.promise;
  await withTime(async (time) => {
    const node = machine.registration({ rediscover: true });
    await node.find();
    node.onOutcome(unknown);
    await time.run(10 * MINUTE_MS);
    node.onOutcome(unknown);
    await time.run(0);
    const ending = node[Symbol.asyncDispose]();
    await time.run(1_000);
    assertEquals([machine.asked, machine.store.isClosed], [1, false]);
    held.resolve(await outcome());
    await ending;
  });
  assertEquals(machine.store.known.nodes.map(({ token }) => token), ["t1"]);
});

const ALMOST_ONE = 0.999999999;

Deno.test("registrationWaitMs() grows to half a minute, and to an hour after lost answers and refusals", async () => {
  const none = { failed: 0, doubtful: 0, refused: 0 };
  const seconds = (counts: number[], kind: keyof typeof none, random: number) =>
    counts.map((count) =>
      Math.round(registrationWaitMs({ ...none, [kind]: count }, random) / 1000)
    );
  await same(
    ([kind, random]) => seconds([1, 2, 3, 6, 7, 1000], kind, random),
    [
      [["failed", ALMOST_ONE], [1, 2, 4, 30, 30, 30]],
      [["doubtful", ALMOST_ONE], [60, 120, 240, 1920, 3600, 3600]],
      [["refused", ALMOST_ONE], [120, 240, 480, 3600, 3600, 3600]],
      [["refused", 0], [60, 120, 240, 1800, 1800, 1800]],
    ] as const,
  );
});

Deno.test("registrationWaitMs() is random in the upper half, so that many agents don't return at once", () => {
  const count = fc.integer({ min: 1, max: 5000 });
  const tries = fc.record({ failed: count, doubtful: fc.nat(5000), refused: fc.nat(5000) });
  fc.assert(
    fc.property(tries, fc.double({ min: 0, max: ALMOST_ONE, noNaN: true }), (tries, random) => {
      const waitMs = registrationWaitMs(tries, random);
      const longestMs = registrationWaitMs(tries, 1);
      assert(waitMs >= longestMs / 2 && waitMs <= longestMs && waitMs >= 500, `${waitMs}`);
    }),
  );
});

/** Finds the token of a machine whose state is in `folder`. */
async function findToken(
  { folder, endpoint = "http://panel.example", args = [] }: {
    folder: string;
    endpoint?: string;
    args?: readonly string[];
  },
): Promise<string> {
  const config = configOf([
    ...["-e", endpoint, "--auto-discovery", "d1scovery-k3y", "--state-dir", `${folder}/state`],
    ...args,
  ]);
  const options = { signal: patience(), onToken: () => {}, observer: undefined };
  await using node = await openRegistration(config, options);
  assertEquals(await node.find(), true);
  return node.token;
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  using folder = new TempFolder();
  Deno.mkdirSync(`${folder.path}/state`, { mode: 0o700 });
  await collectedLog(() => use(folder.path));
}

Deno.test("openRegistration() imports the official agent's node, which it leaves alone from then on", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/official.json`;
    Deno.writeTextFileSync(path, JSON.stringify({ uuid: "o", token: "official" }));
    await withRawServer(async (peer) => {
      while (await peer.request() !== undefined) {
        await peer.answer('{"id":1,"error":{"code":-32601}}', [], "400 Bad Request");
      }
    }, async ({ origin }) => {
      const args = ["--auto-discovery-file", path];
      for (const token of ["official", "another"]) {
        assertEquals(await findToken({ folder, endpoint: origin, args }), "official");
        assertEquals(
          JSON.parse(Deno.readTextFileSync(path)).token,
          token === "another" ? "x" : token,
        );
        Deno.writeTextFileSync(path, JSON.stringify({ uuid: "x", token: "x" }));
      }
    });
  });
});

Deno.test("openRegistration() throws when no node can be saved, unless there is one", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/state/auto-discovery.state`;
    Deno.mkdirSync(path);
    const error = await assertRejects(() => findToken({ folder }), Error);
    assertStringIncludes(describeError(error), "Cannot read");
    Deno.removeSync(path);
    using store = new NodeStore(`${folder}/state`, { ignoreDamage: false });
    await store.open();
    await store.save({ endpoint: "http://panel.example", uuid: "u", token: "known" });
    assertEquals(await findToken({ folder }), "known");
  });
});

Deno.test("openRegistration() takes a damaged file for none with --rediscover only", async () => {
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/state/auto-discovery.state`, "{");
    await assertRejects(() => findToken({ folder }), Error, "it is damaged");
    await withRawServer(async (peer) => {
      while (await peer.request() !== undefined) {
        await peer.answer('{"status":"success","data":{"uuid":"n","token":"new"}}');
      }
    }, async ({ origin }) => {
      assertEquals(await findToken({ folder, endpoint: origin, args: ["--rediscover"] }), "new");
    });
  });
});
