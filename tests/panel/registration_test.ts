import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type Clock, install } from "@sinonjs/fake-timers";
import { describeError } from "../../lib/log/log.ts";
import type { KnownNode } from "../../lib/panel/node_store.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import type { RegistrationOutcome } from "../../lib/panel/registrar.ts";
import { NodeRegistration } from "../../lib/panel/registration.ts";
import { collectedLog } from "../remote/collected_log.ts";
import { PaperStore } from "./fake_store.ts";

const endpoint = "https://panel.example";
const NODE = { endpoint, uuid: "u", token: "t" };
const down = new PanelError("Cannot register: refused", { failure: "unreachable" });
const late = new PanelError("Cannot register: no answer within 30 s", { failure: "timeout" });
const wrong = new PanelError("Cannot register: status 403", {
  failure: "unavailable",
  status: 403,
});

/** A machine that wants to be a node, at a panel of paper. */
class World {
  readonly store = new PaperStore();
  /** When it was asked to register, in seconds. */
  readonly asked: number[] = [];
  answer: () => RegistrationOutcome = () => ({
    kind: "registered",
    node: { uuid: "u", token: "t" },
  });
  knows: () => Promise<boolean> = () => Promise.resolve(true);
  official: string | undefined;
  readonly stop = new AbortController();

  enrol(): Promise<KnownNode> {
    const enrolment = new NodeRegistration({
      endpoint,
      store: this.store,
      registrar: {
        register: () => {
          this.store.story.push("asked");
          this.asked.push(Math.round(performance.now() / 1000));
          return Promise.resolve(this.answer());
        },
        isTokenKnown: () => this.knows(),
      },
      readOfficial: () =>
        this.official === undefined ? undefined : { path: "/opt/a.json", text: this.official },
    });
    return enrolment.findOrRegister((node) => this.store.save(node), this.stop.signal);
  }
}

async function withClock(
  use: (clock: Clock, lines: string[]) => Promise<void>,
): Promise<string[]> {
  const clock = install({
    now: 1_000,
    toFake: ["setTimeout", "clearTimeout", "performance", "Date"],
  });
  try {
    return await collectedLog((lines) => use(clock, lines));
  } finally {
    clock.uninstall();
  }
}

Deno.test("NodeRegistration.findOrRegister() gives the known node without a call", async () => {
  const world = new World();
  world.store.nodes = [{ ...NODE, endpoint: "https://other.example" }, NODE];
  world.official = JSON.stringify({ uuid: "o", token: "official" });
  assertEquals(await world.enrol(), NODE);
  assertEquals(world.store.story, []);
});

Deno.test("NodeRegistration.findOrRegister() checks that it can save, registers, and saves, in that order", async () => {
  const world = new World();
  await withClock(async () => {
    assertEquals(await world.enrol(), { ...NODE, registeredAtMs: 1_000 });
  });
  assertEquals(world.store.story, ["locked", "checked", "asked", "kept t"]);
});

Deno.test("NodeRegistration.findOrRegister() makes no call when nothing can be saved", async () => {
  const world = new World();
  world.store.trouble = new Error("Cannot write to the folder /state");
  const error = await assertRejects(() => world.enrol(), Error, "--state-dir names a folder");
  assertStringIncludes(describeError(error), "Cannot write to the folder /state");
  assertEquals(world.asked, []);
});

const REFUSED = "error   panel: Cannot register this machine: the panel refuses the key of " +
  "--auto-discovery, or something before the panel does: Cannot register: status 403; " +
  "trying again within an hour";

Deno.test("NodeRegistration.findOrRegister() logs a refused key, and registers when it is accepted", async () => {
  const world = new World();
  world.answer = () => ({ kind: "refused", error: wrong });
  const log = await withClock(async (clock) => {
    const enrolling = world.enrol();
    await clock.tickAsync(50 * 60_000);
    assert(world.asked.length >= 4 && world.asked.length <= 7, `${world.asked.length} tries`);
    const { answer } = new World();
    world.answer = answer;
    await clock.tickAsync(60 * 60_000);
    assertEquals((await enrolling).token, "t");
  });
  assertEquals(log.map((line) => line.replace(/^\S+ /, "")), [REFUSED]);
  const waits = world.asked.map((second, index) => second - (world.asked[index - 1] ?? second));
  assert(waits.slice(1).every((wait) => wait >= 60 && wait <= 3600), waits.join());
});

Deno.test("NodeRegistration.findOrRegister() logs a refused key once an hour at most", async () => {
  const world = new World();
  world.answer = () => ({ kind: "refused", error: wrong });
  const told: number[] = [];
  await withClock(async (clock, lines) => {
    const enrolling = world.enrol().catch(() => {});
    for (let minute = 0; minute < 24 * 60; minute++) {
      await clock.tickAsync(60_000);
      while (told.length < lines.length) told.push(minute);
    }
    world.stop.abort();
    await enrolling;
  });
  assert(told.length >= 12 && told.length <= 24, `${told.length} lines`);
  for (const [index, minute] of told.entries()) {
    assert(minute - (told[index - 1] ?? -60) >= 60, told.join());
  }
  assert(world.asked.length < 60, `${world.asked.length} tries in a day`);
});

Deno.test("NodeRegistration.findOrRegister() retries soon when a panel stops answering after a refusal", async () => {
  const world = new World();
  const outcomes: RegistrationOutcome[] = [
    { kind: "failed", error: down, isDoubtful: false },
    { kind: "refused", error: wrong },
    { kind: "failed", error: down, isDoubtful: false },
  ];
  const { answer } = new World();
  world.answer = () => outcomes.shift() ?? answer();
  const log = await withClock(async (clock) => {
    const enrolling = world.enrol();
    await clock.tickAsync(130_000);
    assertEquals((await enrolling).token, "t");
  });
  assertEquals(log.map((line) => line.replace(/^\S+ /, "").replace(/after .*/, "after …")), [
    "warning panel: Cannot register: refused; trying again",
    "info    panel: The panel answers again after …",
    REFUSED.replace(/after .*/, "after …"),
    "warning panel: Cannot register: refused; trying again",
    "info    panel: The panel answers again after …",
  ]);
});

Deno.test("NodeRegistration.findOrRegister() ends with the signal while the key is refused", async () => {
  const world = new World();
  world.answer = () => ({ kind: "refused", error: wrong });
  await collectedLog(async () => {
    const enrolling = world.enrol();
    queueMicrotask(() => world.stop.abort());
    await assertRejects(() => enrolling, DOMException);
  });
});

Deno.test("NodeRegistration.findOrRegister() tries until the panel answers, and logs it again after 1, 5 and 15 minutes", async () => {
  const world = new World();
  world.answer = () => ({ kind: "failed", error: down, isDoubtful: false });
  const log = await withClock(async (clock) => {
    const enrolling = world.enrol();
    await clock.tickAsync(3_600_000);
    const { answer } = new World();
    world.answer = answer;
    await clock.tickAsync(30_000);
    assertEquals((await enrolling).token, "t");
  });
  assert(world.asked.length > 100 && world.asked.length < 260, `${world.asked.length} tries`);
  assertEquals(
    log.filter((line) => line.includes("refused; trying again")).length,
    4,
    log.join("\n"),
  );
  assertEquals(log.length, 5, "and once that it answers again");
});

Deno.test("NodeRegistration.findOrRegister() retries rarely after lost answers, since each may have made a node", async () => {
  const world = new World();
  world.answer = () => ({ kind: "failed", error: late, isDoubtful: true });
  await withClock(async (clock) => {
    const enrolling = world.enrol().catch(() => {});
    await clock.tickAsync(24 * 3_600_000);
    world.stop.abort();
    await enrolling;
  });
  assert(world.asked.length < 60, `${world.asked.length} tries in a day`);
});

Deno.test("NodeRegistration.findOrRegister() ends with the signal while it waits", async () => {
  const world = new World();
  world.answer = () => ({ kind: "failed", error: down, isDoubtful: false });
  await collectedLog(async () => {
    const enrolling = world.enrol();
    queueMicrotask(() => world.stop.abort());
    await assertRejects(() => enrolling, DOMException);
  });
});

Deno.test("NodeRegistration.findOrRegister() waits for another process, and uses the node that it has registered", async () => {
  const world = new World();
  world.store.isLocked = true;
  const log = await withClock(async (clock) => {
    const enrolling = world.enrol();
    await clock.tickAsync(5_000);
    world.store.nodes = [NODE];
    world.store.isLocked = false;
    await clock.tickAsync(1_000);
    assertEquals(await enrolling, NODE);
  });
  assertEquals(world.store.story, ["locked"]);
  assertEquals(log.filter((line) => line.includes("Waiting for another process")).length, 1);
});

Deno.test("NodeRegistration.findOrRegister() imports an official agent's node that the panel knows", async () => {
  const world = new World();
  world.official = JSON.stringify({ uuid: "o", token: "official" });
  let tries = 0;
  world.knows = () => tries++ === 0 ? Promise.reject(down) : Promise.resolve(true);
  await withClock(async (clock) => {
    const enrolling = world.enrol();
    await clock.tickAsync(1_000);
    assertEquals(await enrolling, { endpoint, uuid: "o", token: "official" });
  });
  assertEquals(world.store.story, ["locked", "checked", "kept official"]);
});

Deno.test("NodeRegistration.findOrRegister() registers when an official agent's node is another panel's, or damaged", async () => {
  for (const official of [JSON.stringify({ uuid: "o", token: "official" }), '{"uuid":"o"', "[]"]) {
    const world = new World();
    world.official = official;
    world.knows = () => Promise.resolve(false);
    const log = await collectedLog(async () => {
      assertEquals((await world.enrol()).token, "t");
    });
    assertStringIncludes(log.join("\n"), "/opt/a.json");
    assertEquals(world.asked.length, 1);
  }
});

Deno.test("NodeRegistration.findOrRegister() ignores an official agent's node once this agent has registered", async () => {
  const world = new World();
  world.official = JSON.stringify({ uuid: "o", token: "official" });
  world.store.nodes = [{ ...NODE, endpoint: "https://other.example", token: "other" }];
  assertEquals((await world.enrol()).token, "t");
  assertEquals(world.store.nodes.length, 2);
});
