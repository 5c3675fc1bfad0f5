import { assertEquals, assertStringIncludes } from "@std/assert";
import { PanelError } from "../../lib/panel/panel_error.ts";
import type { NodeRegistration } from "../../lib/panel/registration.ts";
import { FakeTime } from "../fake_time.ts";
import { collectedLog } from "../log/collected_log.ts";
import { type FakeStore, NODE, RegisteringMachine } from "./fake_registration.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const OLD = { ...NODE, token: "old" };
const unknown = new PanelError("Cannot send report: the panel does not know this token", {
  failure: "unauthorized",
});
const down = new PanelError("Cannot register: refused", { failure: "unreachable" });

/** A machine with a node that its panel has forgotten. */
function forgottenMachine(registeredAtMs?: number): RegisteringMachine {
  const machine = new RegisteringMachine();
  machine.store.nodes = [registeredAtMs === undefined ? OLD : { ...OLD, registeredAtMs }];
  machine.answer = () => ({
    kind: "registered",
    node: { uuid: `u${machine.asked}`, token: `new${machine.asked}` },
  });
  return machine;
}

/** Lets a node report, by a call each half minute that fails as long as the token is the old one. */
async function report(
  machine: RegisteringMachine,
  { rediscover }: { rediscover: boolean },
  use: (node: NodeRegistration, pass: (minutes: number) => Promise<void>) => Promise<void>,
): Promise<string[]> {
  using time = new FakeTime({ now: 10 * DAY_MS });
  return await collectedLog(async () => {
    await using node = machine.registration({ rediscover });
    assertEquals(await node.find(), true);
    await use(node, async (minutes) => {
      for (let half = 0; half < minutes * 2; half++) {
        node.onOutcome(node.token === "old" ? unknown : undefined);
        await time.run(MINUTE_MS / 2);
      }
    });
  });
}

Deno.test("NodeRegistration.onOutcome() registers again after ten minutes of rejection, and saves the node", async () => {
  const machine = forgottenMachine(0);
  const log = await report(machine, { rediscover: true }, async (node, pass) => {
    await pass(10);
    assertEquals([node.token, machine.asked], ["old", 0], "not before");
    await pass(1);
    assertEquals(node.token, "new1");
    await pass(60);
    assertEquals([machine.asked, node.endpoint], [1, NODE.endpoint]);
  });
  assertEquals(machine.store.nodes.map(({ token }) => token), ["new1"]);
  assertEquals(machine.store.held, 0);
  assertEquals(machine.store.calls, ["locked", "checked", "asked", "saved new1"]);
  assertEquals(machine.tokens, ["old", "new1"], "the log hides both");
  assertStringIncludes(log.join("\n"), "Registered at the panel as node u1");
});

Deno.test("NodeRegistration ends when the attempt under way has, and uses what it brought", async () => {
  using time = new FakeTime({ now: 10 * DAY_MS });
  const machine = forgottenMachine(0);
  const held = Promise.withResolvers<Awaited<ReturnType<typeof machine.answer>>>();
  const { answer } = machine;
  machine.answer = () => held.promise;
  await collectedLog(async () => {
    const node = machine.registration({ rediscover: true });
    await node.find();
    node.onOutcome(unknown);
    await time.run(10 * MINUTE_MS);
    node.onOutcome(unknown);
    await time.run(0);
    let hasEnded = false;
    const ending = node[Symbol.asyncDispose]().then(() => hasEnded = true);
    await time.run(1_000);
    assertEquals([machine.asked, hasEnded, machine.store.isClosed], [1, false, false]);
    held.resolve(await answer());
    await ending;
    assertEquals(machine.store.isClosed, true);
  });
  assertEquals(machine.store.nodes.map(({ token }) => token), ["new1"]);
  assertEquals(machine.store.held, 0);
});

Deno.test("NodeRegistration.onOutcome() logs once which option would help where it may not register again", async () => {
  const machine = forgottenMachine();
  const log = await report(machine, { rediscover: false }, (_node, pass) => pass(120));
  assertEquals([machine.asked, log.length], [0, 1]);
  assertStringIncludes(log.join(), "with --rediscover it registers again");
});

/** When it has registered before, beside now, and whether it does so again by then, in minutes. */
const CLOCKS:
  readonly (readonly [what: string, sinceMinutes: number, afterMinutes: number, asked: number])[] =
    [
      ["a minute ago", -1, 60, 0],
      ["by a clock that was an hour ahead", 60, 60, 0],
      ["by a clock that was days ahead", 25 * 60, 11, 1],
      ["a day ago but for a moment", -24 * 60 + 35, 34, 0],
      ["a day ago", -24 * 60 + 35, 44, 1],
    ];
for (const [what, sinceMinutes, afterMinutes, asked] of CLOCKS) {
  Deno.test(`NodeRegistration.onOutcome() registers once a day at most: ${what}`, async () => {
    const machine = forgottenMachine(10 * DAY_MS + sinceMinutes * MINUTE_MS);
    const log = await report(machine, { rediscover: true }, async (node, pass) => {
      await pass(afterMinutes);
      assertEquals([machine.asked, node.token], [asked, asked === 0 ? "old" : "new1"]);
    });
    if (asked > 0) return;
    assertEquals(log.length, 1);
    assertStringIncludes(log.join(), "once a day at most");
  });
}

Deno.test("NodeRegistration.onOutcome() tries again soon after a clear failure, and a day later after a doubtful one", async () => {
  for (const kind of ["failed", "doubtful"] as const) {
    const machine = forgottenMachine();
    machine.answer = () => ({ kind, error: down });
    const log = await report(machine, { rediscover: true }, async (node, pass) => {
      await pass(43);
      assertEquals(node.token, "old");
    });
    assertEquals(machine.asked, kind === "doubtful" ? 1 : 4);
    assertStringIncludes(log.join("\n"), "Cannot register again: Cannot register: refused");
  }
});

Deno.test("NodeRegistration.onOutcome() keeps the token when the panel refuses the key", async () => {
  const machine = forgottenMachine();
  machine.answer = () => ({ kind: "refused", error: down });
  await report(machine, { rediscover: true }, async (node, pass) => {
    await pass(11);
    assertEquals([machine.asked, node.token], [1, "old"]);
  });
});

Deno.test("NodeRegistration.onOutcome() uses the node that another process has registered meanwhile", async () => {
  const machine = forgottenMachine();
  await report(machine, { rediscover: true }, async (node, pass) => {
    machine.store.nodes = [{ ...NODE, token: "theirs" }];
    await pass(11);
    assertEquals([machine.asked, node.token], [0, "theirs"]);
  });
  assertEquals(machine.tokens, ["old", "theirs"]);
});

Deno.test("NodeRegistration.onOutcome() does not register while another process does, or when nothing can be saved", async () => {
  const cases = [
    (store: FakeStore) => store.isLocked = true,
    (store: FakeStore) => store.error = new Error("Cannot write to the folder /state"),
  ];
  for (const spoil of cases) {
    const machine = forgottenMachine();
    spoil(machine.store);
    await report(machine, { rediscover: true }, async (node, pass) => {
      await pass(11);
      assertEquals([machine.asked, node.token], [0, "old"]);
    });
  }
});

/** A machine whose disk is full as soon as the panel has made its node. */
function fullMachine(): RegisteringMachine {
  const machine = new RegisteringMachine();
  machine.answer = () => {
    machine.store.error = new Error("Cannot write /state/auto-discovery.state");
    return { kind: "registered", node: { uuid: "u", token: "new" } };
  };
  return machine;
}

Deno.test("NodeRegistration.find() uses a node that can't be saved, and saves it later", async () => {
  const machine = fullMachine();
  const log = await report(machine, { rediscover: false }, async (node, pass) => {
    assertEquals([node.token, machine.store.nodes], ["new", []]);
    await pass(3);
    machine.store.error = undefined;
    await pass(2);
    assertEquals(machine.store.nodes.map(({ token }) => token), ["new"]);
    await pass(10);
  });
  const saves = machine.store.calls.filter((call) => call === "saved new");
  assertEquals(saves.length, 5, "no more often than each minute, and not when it is saved");
  assertStringIncludes(log[0] ?? "", "a restart makes another node");
  assertStringIncludes(log[1] ?? "", "Saved the node in /state/auto-discovery.state");
  assertEquals(log.length, 2);
});

Deno.test("NodeRegistration ends at once, also while a node waits to be saved", async () => {
  const machine = fullMachine();
  await report(machine, { rediscover: false }, (node) => {
    assertEquals(node.token, "new");
    return Promise.resolve();
  });
  assertEquals(machine.store.nodes, []);
});
