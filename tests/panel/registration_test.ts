import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { describeError } from "../../lib/log/log.ts";
import { PanelError, type PanelFailure } from "../../lib/panel/panel_error.ts";
import type { RegistrationOutcome } from "../../lib/panel/registration_client.ts";
import { FakeTime } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { ENDPOINT, NODE, RegisteringMachine } from "./fake_registration.ts";
import { registrationWaitMs } from "../../lib/panel/registration.ts";
import { testsWith } from "../tests_with.ts";

const down = new PanelError("Cannot register: refused", { failure: "unreachable" });
const late = new PanelError("Cannot register: no answer within 30 s", { failure: "timeout" });
const wrong = new PanelError("Cannot register: status 403", {
  failure: "unavailable",
  status: 403,
});

const FAILED: RegistrationOutcome = { kind: "failed", error: down };
const REFUSAL: RegistrationOutcome = { kind: "refused", error: wrong };

/** The log of `use`, during which time passes only when it says so. */
async function withTime(
  use: (time: FakeTime, lines: string[]) => Promise<void>,
): Promise<string[]> {
  using time = new FakeTime({ now: 1_000 });
  return await collectedLog((lines) => use(time, lines));
}

/** The log of a machine that registers while so much time passes. */
function registering(machine: RegisteringMachine, ms: number): Promise<string[]> {
  return withTime(async (time) => {
    const finding = machine.find();
    await time.run(ms);
    assertEquals((await finding)?.token, "t");
  });
}

const withMachine = testsWith(() => new RegisteringMachine());

withMachine.test("NodeRegistration.find() gives the known node without a call", async (machine) => {
  machine.store.nodes = [{ ...NODE, endpoint: "https://other.example" }, NODE];
  machine.official = JSON.stringify({ uuid: "o", token: "official" });
  assertEquals(await machine.find(), NODE);
  assertEquals(machine.store.calls, []);
});

withMachine.test("NodeRegistration.find() checks that it can save, registers, and saves, in that order", async (machine) => {
  await withTime(async () => {
    assertEquals(await machine.find(), { ...NODE, registeredAtMs: 1_000 });
  });
  assertEquals(machine.store.calls, ["locked", "checked", "asked", "saved t"]);
});

withMachine.test("NodeRegistration.find() makes no call when nothing can be saved", async (machine) => {
  machine.store.error = new Error("Cannot write to the folder /state");
  const error = await assertRejects(() => machine.find(), Error, "--state-dir names a folder");
  assertStringIncludes(describeError(error), "Cannot write to the folder /state");
  assertEquals(machine.asked, 0);
});

const REFUSED = "error   panel: Cannot register this machine: the panel refuses the key of " +
  "--auto-discovery, or something before the panel does: Cannot register: status 403; " +
  "trying again within an hour";
const REGISTERED = "info    panel: Registered at the panel as node u; saved in " +
  "/state/auto-discovery.state";

withMachine.test("NodeRegistration.find() logs a refused key, and registers when it is accepted", async (machine) => {
  machine.answer = () => REFUSAL;
  const log = await withTime(async (time) => {
    const finding = machine.find();
    await time.run(50 * 60_000);
    assert(machine.asked >= 4 && machine.asked <= 7, `${machine.asked} tries`);
    const { answer } = new RegisteringMachine();
    machine.answer = answer;
    await time.run(60 * 60_000);
    assertEquals((await finding)?.token, "t");
  });
  assertEquals(log.map((line) => line.replace(/^\S+ /, "")), [REFUSED, REGISTERED]);
  const waits = machine.askedAtSeconds.map((second, index, all) =>
    second - (all[index - 1] ?? second)
  );
  assert(waits.slice(1).every((wait) => wait >= 60 && wait <= 3600), waits.join());
  assertEquals([machine.problems[0], machine.problems.at(-1)], [wrong.message, undefined]);
});

withMachine.test("NodeRegistration.find() logs a refused key once an hour at most", async (machine) => {
  machine.answer = () => REFUSAL;
  const loggedAt: number[] = [];
  await withTime(async (time, lines) => {
    const finding = machine.find().catch(() => {});
    for (let minute = 0; minute < 24 * 60; minute++) {
      await time.run(60_000);
      while (loggedAt.length < lines.length) loggedAt.push(minute);
    }
    machine.stop.abort();
    await finding;
  });
  assert(loggedAt.length >= 12 && loggedAt.length <= 24, `${loggedAt.length} lines`);
  for (const [index, minute] of loggedAt.entries()) {
    assert(minute - (loggedAt[index - 1] ?? -60) >= 60, loggedAt.join());
  }
  assert(machine.asked < 60, `${machine.asked} tries in a day`);
});

withMachine.test("NodeRegistration.find() retries soon when a panel stops answering after a refusal", async (machine) => {
  machine.outcomes.push(FAILED, REFUSAL, FAILED);
  const log = await registering(machine, 130_000);
  assertEquals(log.map((line) => line.replace(/^\S+ /, "").replace(/after .*/, "after …")), [
    "warning panel: Cannot register: refused; trying again",
    "info    panel: The panel answers again after …",
    REFUSED.replace(/after .*/, "after …"),
    "warning panel: Cannot register: refused; trying again",
    "info    panel: The panel answers again after …",
    REGISTERED,
  ]);
});

withMachine.test("NodeRegistration.find() counts failures anew after a refusal", async (machine) => {
  machine.outcomes.push(...Array(8).fill(FAILED), REFUSAL, FAILED);
  await registering(machine, 10 * 60_000);
  const [refusedAt = 0, failedAt = 0, registeredAt = 0] = machine.askedAtSeconds.slice(8);
  assert(failedAt - refusedAt >= 59, "after a refusal it waits a minute or two");
  assert(registeredAt - failedAt <= 2, `${registeredAt - failedAt} s after the first failure`);
});

for (const kind of ["refused", "failed"] as const) {
  withMachine.test(`NodeRegistration.find() ends with the signal while it waits after "${kind}"`, async (machine) => {
    machine.answer = () => ({ kind, error: wrong });
    await collectedLog(async () => {
      const finding = machine.find();
      queueMicrotask(() => machine.stop.abort());
      assertEquals(await finding, undefined);
    });
  });
}

withMachine.test("NodeRegistration.find() tries until the panel answers, and logs it again after 1, 5 and 15 minutes", async (machine) => {
  machine.answer = () => FAILED;
  const log = await withTime(async (time) => {
    const finding = machine.find();
    await time.run(3_600_000);
    const { answer } = new RegisteringMachine();
    machine.answer = answer;
    await time.run(30_000);
    assertEquals((await finding)?.token, "t");
  });
  assert(machine.asked > 100 && machine.asked < 260, `${machine.asked} tries`);
  assertEquals(
    log.filter((line) => line.includes("refused; trying again")).length,
    4,
    log.join("\n"),
  );
  assertEquals(log.length, 6, "and once that it answers again, and that it is registered");
});

withMachine.test("NodeRegistration.find() retries rarely after lost answers, since each may have made a node", async (machine) => {
  // A clear failure behind one makes no less of them.
  machine.answer = () => machine.asked % 2 === 1 ? { kind: "doubtful", error: late } : FAILED;
  await withTime(async (time) => {
    const finding = machine.find().catch(() => {});
    await time.run(24 * 3_600_000);
    machine.stop.abort();
    await finding;
  });
  assert(machine.asked < 60, `${machine.asked} tries in a day`);
});

withMachine.test("NodeRegistration.find() waits for another process, and uses the node that it has registered", async (machine) => {
  machine.store.isLocked = true;
  const log = await withTime(async (time) => {
    const finding = machine.find();
    await time.run(5_000);
    machine.store.nodes = [NODE];
    machine.store.isLocked = false;
    await time.run(1_000);
    assertEquals(await finding, NODE);
  });
  assertEquals(machine.store.calls, ["locked"]);
  assertEquals(log.filter((line) => line.includes("Waiting for another process")).length, 1);
});

withMachine.test("NodeRegistration.find() imports an official agent's node that the panel knows", async (machine) => {
  machine.official = JSON.stringify({ uuid: "o", token: "official" });
  let tries = 0;
  machine.isTokenKnown = () => tries++ === 0 ? Promise.reject(down) : Promise.resolve(true);
  await withTime(async (time) => {
    const finding = machine.find();
    await time.run(1_000);
    assertEquals(await finding, { endpoint: ENDPOINT, uuid: "o", token: "official" });
  });
  assertEquals(machine.store.calls, ["locked", "checked", "saved official"]);
});

withMachine.test("NodeRegistration.find() asks about an official agent's node less and less often", async (machine) => {
  machine.official = JSON.stringify({ uuid: "o", token: "official" });
  const askedAtMs: number[] = [];
  machine.isTokenKnown = () => {
    askedAtMs.push(performance.now());
    return Promise.reject(down);
  };
  const log = await withTime(async (time) => {
    const finding = machine.find();
    await time.run(10 * 60_000);
    machine.isTokenKnown = () => Promise.resolve(true);
    await time.run(30_000);
    assertEquals((await finding)?.token, "official");
  });
  assert(askedAtMs.length >= 20 && askedAtMs.length < 50, `${askedAtMs.length} tries`);
  const waitsMs = askedAtMs.map((atMs, index) => atMs - (askedAtMs[index - 1] ?? 0)).slice(1);
  assert(waitsMs.every((waitMs) => waitMs >= 500 && waitMs <= 30_000), waitsMs.join());
  const imported = log.filter((line) => line.includes("node of the official agent"));
  assertEquals(imported.length, 1);
  assertEquals(log.filter((line) => line.includes("Registered at")), []);
});

withMachine.test("NodeRegistration.find() ends with the signal while it asks about an official agent's node", async (machine) => {
  machine.official = JSON.stringify({ uuid: "o", token: "official" });
  machine.isTokenKnown = () => {
    machine.stop.abort();
    return Promise.reject(down);
  };
  assertEquals(await collectedLog(async () => assertEquals(await machine.find(), undefined)), []);
});

Deno.test("NodeRegistration.find() registers when an official agent's node is another panel's, or damaged", async () => {
  for (const official of [JSON.stringify({ uuid: "o", token: "official" }), '{"uuid":"o"', "[]"]) {
    const machine = new RegisteringMachine();
    machine.official = official;
    machine.isTokenKnown = () => Promise.resolve(false);
    const log = await collectedLog(async () => {
      assertEquals((await machine.find())?.token, "t");
    });
    assertStringIncludes(log.join("\n"), "/opt/a.json");
    assertEquals(machine.asked, 1);
  }
});

withMachine.test("NodeRegistration.find() ignores an official agent's node once this agent has registered", async (machine) => {
  machine.official = JSON.stringify({ uuid: "o", token: "official" });
  machine.store.nodes = [{ ...NODE, endpoint: "https://other.example", token: "other" }];
  assertEquals((await machine.find())?.token, "t");
  assertEquals(machine.store.nodes.length, 2);
});

const MINUTE_MS = 60_000;

function failed(failure: PanelFailure): PanelError {
  return new PanelError("Cannot send report", { failure });
}

/** Minutes at which it registers again, in vain, when a call each half minute ends as `outcome` says. */
async function attempts(outcome: (minute: number) => unknown): Promise<number[]> {
  using time = new FakeTime();
  const machine = new RegisteringMachine();
  machine.store.nodes = [NODE];
  machine.answer = () => ({ kind: "failed", error: failed("unreachable") });
  await collectedLog(async () => {
    await using node = machine.registration({ rediscover: true });
    await node.find();
    for (let minute = 0; minute <= 35; minute += 0.5) {
      node.onOutcome(outcome(minute));
      await time.run(MINUTE_MS / 2);
    }
  });
  return machine.askedAtSeconds.map((second) => second / 60);
}

const unknown = failed("unauthorized");

const OUTCOMES:
  readonly (readonly [what: string, outcome: (minute: number) => unknown, minutes: number[]])[] = [
    ["of rejection", () => unknown, [10, 20.5, 31]],
    ["of success", () => undefined, []],
    ["without an answer", () => failed("unreachable"), []],
    ["of late answers", () => failed("timeout"), []],
    ["of refused contents", () => failed("rejected"), []],
    ["of lost connections", () => failed("disconnected"), []],
    ["of another error that says so", () => new Error("unauthorized"), []],
    ["after a success", (minute) => minute === 9.5 ? undefined : unknown, [20, 30.5]],
    ["after another failure", (minute) => minute === 9.5 ? failed("unavailable") : unknown, [
      20,
      30.5,
    ]],
    [
      "with a blocked WebSocket between",
      (minute) => minute === 9.5 ? failed("websocket blocked") : unknown,
      [10, 20.5, 31],
    ],
  ];
for (const [what, outcome, minutes] of OUTCOMES) {
  Deno.test(`NodeRegistration.onOutcome() registers again at minutes "${minutes}": ten minutes ${what}`, async () => {
    assertEquals(await attempts(outcome), minutes);
  });
}

const ALMOST_ONE = 0.999999999;

function longest(failed: number, doubtful: number): number {
  return Math.round(registrationWaitMs({ failed, doubtful, refused: 0 }, ALMOST_ONE) / 1000);
}

Deno.test("registrationWaitMs() grows to half a minute after clear failures", () => {
  assertEquals([1, 2, 3, 4, 5, 6, 7, 1000].map((failed) => longest(failed, 0)), [
    ...[1, 2, 4, 8, 16, 30, 30, 30],
  ]);
});

Deno.test("registrationWaitMs() grows to an hour when each attempt may have made a node", () => {
  assertEquals([1, 2, 3, 6, 7, 1000].map((doubtful) => longest(doubtful, doubtful)), [
    ...[60, 120, 240, 1920, 3600, 3600],
  ]);
});

Deno.test("registrationWaitMs() grows from a minute to an hour when the key is refused", () => {
  const waits = (random: number) =>
    [1, 2, 3, 4, 5, 6, 1000].map((refused) =>
      Math.round(registrationWaitMs({ failed: 0, doubtful: 0, refused }, random) / 60_000)
    );
  assertEquals(waits(0), [1, 2, 4, 8, 16, 30, 30]);
  assertEquals(waits(ALMOST_ONE), [2, 4, 8, 16, 32, 60, 60]);
});

Deno.test("registrationWaitMs() is random in the upper half, so that many agents don't return at once", () => {
  const many = fc.integer({ min: 1, max: 5000 });
  const tries = fc.oneof(
    fc.record({ failed: many, doubtful: fc.nat(5000), refused: fc.constant(0) }),
    fc.record({ failed: fc.constant(0), doubtful: fc.nat(5000), refused: many }),
  );
  fc.assert(
    fc.property(tries, fc.double({ min: 0, max: ALMOST_ONE, noNaN: true }), (tries, random) => {
      const waitMs = registrationWaitMs(tries, random);
      const longestMs = registrationWaitMs(tries, 1);
      assert(waitMs >= longestMs / 2 && waitMs <= longestMs && waitMs >= 500, `${waitMs}`);
    }),
  );
});
