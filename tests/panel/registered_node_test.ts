import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Clock, install } from "@sinonjs/fake-timers";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { AutoDiscoveredNode } from "../../lib/panel/registered_node.ts";
import type { RegistrationOutcome } from "../../lib/panel/registrar.ts";
import { collectedLog } from "../remote/collected_log.ts";
import { PaperStore } from "./fake_store.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const NODE = { endpoint: "https://panel.example", uuid: "u", token: "old" };
const unknown = new PanelError("Cannot send report: the panel does not know this token", {
  failure: "unauthorized",
});
const down = new PanelError("Cannot register: refused", { failure: "unreachable" });

/** A node whose panel has forgotten it. */
class World {
  readonly store = new PaperStore();
  readonly tokens: string[] = [];
  asked = 0;
  answer: () => RegistrationOutcome = () => ({
    kind: "registered",
    node: { uuid: `u${this.asked}`, token: `new${this.asked}` },
  });
  readonly stop = new AbortController();
  node: AutoDiscoveredNode;

  constructor(options: { rediscover: boolean; registeredAtMs?: number }) {
    const { rediscover, registeredAtMs } = options;
    const node = registeredAtMs === undefined ? NODE : { ...NODE, registeredAtMs };
    this.store.nodes = [node];
    this.node = new AutoDiscoveredNode(node, {
      store: this.store,
      registrar: {
        register: () => {
          this.asked++;
          return Promise.resolve(this.answer());
        },
      },
      rediscover,
      onToken: (token) => void this.tokens.push(token),
      signal: this.stop.signal,
    });
  }
}

/** Lets a world live, with a call each half minute that fails as long as the token is the old one. */
async function live(
  world: World,
  use: (pass: (minutes: number) => Promise<void>) => Promise<void>,
): Promise<string[]> {
  const clock: Clock = install({
    now: 10 * DAY_MS,
    toFake: ["setTimeout", "clearTimeout", "performance", "Date"],
  });
  try {
    return await collectedLog(async () => {
      await using _node = world.node;
      await use(async (minutes) => {
        for (let half = 0; half < minutes * 2; half++) {
          world.node.onOutcome(world.node.token === "old" ? unknown : undefined);
          await clock.tickAsync(MINUTE_MS / 2);
        }
      });
    });
  } finally {
    clock.uninstall();
  }
}

Deno.test("AutoDiscoveredNode registers again after ten minutes of rejection, and saves the node", async () => {
  const world = new World({ rediscover: true, registeredAtMs: 0 });
  const log = await live(world, async (pass) => {
    await pass(10);
    assertEquals([world.node.token, world.asked], ["old", 0], "not before");
    await pass(1);
    assertEquals(world.node.token, "new1");
    await pass(60);
  });
  assertEquals(world.store.nodes.map(({ token }) => token), ["new1"]);
  assertEquals(world.store.story, ["locked", "checked", "kept new1"]);
  assertEquals(world.tokens, ["old", "new1"], "the log hides both");
  assertEquals([world.asked, world.node.endpoint], [1, NODE.endpoint]);
  assertStringIncludes(log.join("\n"), "Registered at the panel as node u1");
});

Deno.test("AutoDiscoveredNode logs once which option would help where it may not register again", async () => {
  const world = new World({ rediscover: false });
  const log = await live(world, (pass) => pass(120));
  assertEquals([world.asked, log.length], [0, 1]);
  assertStringIncludes(log.join(), "with --rediscover it registers again");
});

Deno.test("AutoDiscoveredNode registers once a day at most, whatever the clock does", async () => {
  for (const registeredAtMs of [10 * DAY_MS - MINUTE_MS, 10 * DAY_MS + 60 * MINUTE_MS]) {
    const world = new World({ rediscover: true, registeredAtMs });
    const log = await live(world, (pass) => pass(60));
    assertEquals(world.asked, 0);
    assertStringIncludes(log.join(), "once a day at most");
  }
});

Deno.test("AutoDiscoveredNode tries again soon after a clear failure, and a day later after a doubtful one", async () => {
  for (const isDoubtful of [false, true]) {
    const world = new World({ rediscover: true });
    world.answer = () => ({ kind: "failed", error: down, isDoubtful });
    const log = await live(world, (pass) => pass(43));
    assertEquals(world.asked, isDoubtful ? 1 : 4);
    assertStringIncludes(log.join("\n"), "Cannot register again: Cannot register: refused");
    assertEquals(world.node.token, "old");
  }
});

Deno.test("AutoDiscoveredNode keeps its token when the panel refuses the key", async () => {
  const world = new World({ rediscover: true });
  world.answer = () => ({ kind: "refused", error: down });
  await live(world, (pass) => pass(11));
  assertEquals([world.asked, world.node.token], [1, "old"]);
});

Deno.test("AutoDiscoveredNode uses the node that another process has registered meanwhile", async () => {
  const world = new World({ rediscover: true });
  world.store.nodes = [{ ...NODE, token: "theirs" }];
  await live(world, (pass) => pass(11));
  assertEquals([world.asked, world.node.token], [0, "theirs"]);
  assertEquals(world.tokens, ["old", "theirs"]);
});

Deno.test("AutoDiscoveredNode does not register while another process does, or when nothing can be saved", async () => {
  for (
    const spoil of [
      (store: PaperStore) => store.isLocked = true,
      (store: PaperStore) => store.trouble = new Error("Cannot write to the folder /state"),
    ]
  ) {
    const world = new World({ rediscover: true });
    spoil(world.store);
    await live(world, (pass) => pass(11));
    assertEquals([world.asked, world.node.token], [0, "old"]);
  }
});

Deno.test("AutoDiscoveredNode.adopt() uses a node that can't be saved, and saves it later", async () => {
  const world = new World({ rediscover: false });
  world.store.trouble = new Error("Cannot write /state/auto-discovery.state");
  const log = await live(world, async (pass) => {
    await world.node.adopt({ ...NODE, token: "new", registeredAtMs: 1 });
    assertEquals([world.node.token, world.store.nodes], ["new", [NODE]]);
    await pass(3);
    world.store.trouble = undefined;
    await pass(2);
    assertEquals(world.store.nodes.map(({ token }) => token), ["new"]);
    await pass(10);
  });
  assertEquals(
    world.store.story.length,
    5,
    "no more often than each minute, and not when it is kept",
  );
  assertStringIncludes(log[0] ?? "", "a restart makes another node");
  assertStringIncludes(log[1] ?? "", "Saved the node in /state/auto-discovery.state");
  assertEquals(log.length, 2);
});

Deno.test("AutoDiscoveredNode ends at once, also while a node waits to be saved", async () => {
  const world = new World({ rediscover: false });
  world.store.trouble = new Error("Cannot write /state/auto-discovery.state");
  await live(world, () => world.node.adopt({ ...NODE, token: "new", registeredAtMs: 1 }));
  assertEquals(world.store.nodes, [NODE]);
});
