import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { describeError } from "../../lib/log/log.ts";
import { formatUpdateState } from "../../lib/state/update_state.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import type { UpdateStep } from "../../lib/update/trial.ts";
import type { UpdaterOptions } from "../../lib/update/updater.ts";
import { ReleaseKeys } from "./release_keys.ts";
import { programOf, ReleaseServer, type ServerFaults, sha256 } from "./release_server.ts";
import {
  type FakeInstallation,
  performNow,
  runFakeUpdate,
  updaterOptions,
  versionIn,
} from "./fake_installation.ts";
import { writeExecutable } from "../executable.ts";
import { testsWith } from "../tests_with.ts";
import { mountedInMemory } from "../mounted.ts";

const PROGRAM = programOf("1.3.0");
/** What is asked for where no program is downloaded. */
const LISTS = ["SHA256SUMS", "SHA256SUMS.sig"].map((name) => `/releases/latest/download/${name}`);

/** A program of version 1.2.3 with an agent, a server of releases; all of it is gone afterwards. */
class World implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "update-" });
  readonly path = `${this.folder}/agent`;
  readonly server = new ReleaseServer();
  readonly silentVersions: string[] = [];

  /** With a release of the next version; `silent` never reports. */
  static async open(
    { program = PROGRAM, silent }: { program?: string; silent?: string } = {},
  ): Promise<World> {
    const world = new World();
    Deno.mkdirSync(`${world.path}.update`);
    writeExecutable(world.path, programOf("1.2.3"));
    await world.parts().agent.start();
    world.server.publish("1.3.0", program);
    if (silent !== undefined) world.silentVersions.push(silent);
    return world;
  }

  parts(): ReturnType<typeof updaterOptions> {
    return updaterOptions(this.place);
  }

  get place(): FakeInstallation {
    const { url, keys: { publicKey } } = this.server;
    return { path: this.path, url, publicKey, silentVersions: this.silentVersions };
  }

  async run(steps: UpdateStep[] = []): ReturnType<typeof runFakeUpdate> {
    return await runFakeUpdate(this.place, (step) => steps.push(step));
  }

  /** As {@linkcode parts}, with an agent whose health is changed at each look. */
  partsWith(change: () => Partial<Health>): ReturnType<typeof updaterOptions> {
    const parts = this.parts();
    const health = parts.agent.health.bind(parts.agent);
    parts.agent.health = () => {
      const found = health();
      return found && { ...found, ...change() };
    };
    return parts;
  }

  /** The words of the failure that an update ends with. */
  async failure(): Promise<string> {
    return describeError(await assertRejects(() => this.run(), Error));
  }

  /** What lies beside the program. */
  names(): string[] {
    return Array.from(Deno.readDirSync(this.folder), ({ name }) => name).sort();
  }

  failed(): readonly string[] {
    return this.parts().state.read().value?.failed.map(({ version }) => version) ?? [];
  }

  /** The version in place, and that of the running agent. */
  versions(): (string | undefined)[] {
    return [versionIn(this.path), this.parts().agent.health()?.version];
  }

  /** Requires that all is as it was before an update that has failed. */
  assertUnchanged(why = ""): void {
    assertEquals(this.names(), ["agent", "agent.agent", "agent.update"], why);
    assertEquals(versionIn(this.path), "1.2.3", why);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

const withWorld = testsWith(() => World.open());

withWorld.test("performUpdate() installs a newer version, restarts the agent and keeps a backup", async (world) => {
  await Deno.chmod(world.path, 0o751);
  const seen: unknown[] = [];
  const onStep: UpdaterOptions["onStep"] = (step, fields) => void seen.push([step, fields]);
  const versions = { from: "1.2.3", to: "1.3.0" };
  const outcome = await performNow({ ...world.parts(), onStep });
  assertEquals(outcome, { kind: "updated", ...versions });
  assertEquals(seen, [
    ...["fetched", "runs", "trial written"].map((step) => [step, versions]),
    ["old kept", { ...versions, path: `${world.path}.old` }],
    ["in place", { ...versions, path: world.path }],
    ...["restarted", "accepted"].map((step) => [step, versions]),
  ]);
  assertEquals(world.versions(), ["1.3.0", "1.3.0"]);
  assertEquals((Deno.statSync(world.path).mode ?? 0) & 0o777, 0o751);
  assertEquals(world.names(), ["agent", "agent.agent", "agent.old", "agent.update"]);
  assertEquals(world.parts().state.read().value, { failed: [] });

  world.server.publish("1.3.1", programOf("1.3.1"));
  await world.run();
  assertEquals([versionIn(world.path), versionIn(`${world.path}.old`)], ["1.3.1", "1.3.0"]);
});

Deno.test("performUpdate() rolls back when the new version does not report, and does not try again", async () => {
  await using world = await World.open({ silent: "1.3.0" });
  const steps: UpdateStep[] = [];
  assertEquals(await world.run(steps), { kind: "rolled back", from: "1.2.3", to: "1.3.0" });
  assertEquals(steps.slice(-3), ["restarted", "rolling back", "rolled back"]);
  assertEquals([world.versions(), world.failed()], [["1.2.3", "1.2.3"], ["1.3.0"]]);
  world.assertUnchanged();

  const before = world.server.requestedPaths.length;
  const outcome = await world.run();
  assertEquals(outcome.kind === "nothing" && outcome.release.decision, "failed before");
  assertEquals(world.server.requestedPaths.slice(before), LISTS);
  world.server.publish("1.3.1", programOf("1.3.1"));
  assertEquals((await world.run()).kind, "updated");
  assertEquals(world.failed(), ["1.3.0"], "it is not forgotten");
  for (
    const [version, decision] of [["1.2.2", "not newer"], ["1.4.0-rc.1", "not stable"]] as const
  ) {
    world.server.publish(version, programOf(version));
    world.server.requestedPaths.length = 0;
    const outcome = await world.run();
    assertEquals(outcome.kind === "nothing" && outcome.release.decision, decision);
    assertEquals(world.server.requestedPaths, LISTS, "it asks for no more");
  }
});

withWorld.test("performUpdate() tries a rejected version again after a week, and remembers its last time", async (world) => {
  const dayMs = 24 * 60 * 60_000;
  const { state } = world.parts();
  await state.open();
  const failed = ([["1.3.0", 7], ["1.2.9", 1]] as const)
    .map(([version, days]) => ({ version, atMs: Date.now() - days * dayMs }));
  await state.write(formatUpdateState({ failed }));
  world.silentVersions.push("1.3.0");
  assertEquals((await world.run()).kind, "rolled back");
  assertEquals(world.failed(), ["1.2.9", "1.3.0"]);
  const outcome = await world.run();
  assertEquals(outcome.kind === "nothing" && outcome.release.decision, "failed before");
});

/** Another body than the one that was published, by a word of the path. */
function answers(word: string, text: string): ServerFaults {
  return { answer: { [word]: () => new Response(text) } };
}

const OTHERS = new ReleaseKeys();
const SUMS = sumsOf(PROGRAM);

function sumsOf(program: string): string {
  return `${sha256(new TextEncoder().encode(program))}  komari-agent-deno-portable\n`;
}

/** What may be wrong with a release; each is refused, and may be better the next time. */
const FAULTS: readonly [words: string, faults: (keys: ReleaseKeys) => ServerFaults][] = [
  // Attacks by whoever controls the release server or a mirror, but not the private key.
  ["SHA256SUMS.sig: 127.0.0.1:", () => ({ signature: undefined })],
  ["is not signed", () => ({ signature: "\n" })],
  ["is not signed", () => ({ signature: "<!DOCTYPE html>" })],
  ["longer than 128 bytes", () => ({ signature: "A".repeat(129) })],
  ["is not signed", (keys) => ({ signature: keys.sign(SUMS).slice(0, 84) })],
  ["is not signed", () => ({ signature: OTHERS.sign(SUMS) })],
  ["is not signed", (keys) => ({ signature: keys.sign(sumsOf(programOf("1.1.0"))) })],
  ["is not signed", (keys) => ({ sums: SUMS + sumsOf("evil"), signature: keys.sign(SUMS) })],
  ["SHA256SUMS names no version", () => ({ sums: SUMS })],
  ["longer than 65536 bytes", () => ({ sums: " ".repeat(64 * 1024 + 1) })],
  ["no program for portable", () => ({ sums: "#version=1.3.0\n" })],
  ["wrong SHA-256", () => answers("portable", PROGRAM.replace("1.3.0", "1.3.9"))],
  [`does not have ${PROGRAM.length} bytes`, () => answers("portable", `${PROGRAM}more`)],
];

withWorld.test("performUpdate() takes no release that is not signed, whole and of its version", async (world) => {
  for (const [words, faults] of FAULTS) {
    world.server.faults = faults(world.server.keys);
    world.server.requestedPaths.length = 0;
    assertStringIncludes(await world.failure(), words);
    const programs = world.server.requestedPaths.filter((path) => path.endsWith("portable"));
    const isOfProgram = /SHA-256|bytes/.test(words) && !words.includes("longer");
    assertEquals(programs.length, isOfProgram ? 1 : 0, words);
    world.assertUnchanged(words);
  }
  for (const publicKey of ["", "x", "MCowBQYDK2VwAyEA", "A".repeat(60), OTHERS.privateKey]) {
    const parts = updaterOptions({ ...world.place, publicKey });
    await assertRejects(() => performNow(parts), Error, "the public key is invalid");
  }
  // An older release under a newer tag.
  world.server.faults = {};
  world.server.publish("1.3.0", programOf("1.1.0"));
  assertStringIncludes(await world.failure(), "its program reports version 1.1.0");
  world.assertUnchanged();
  assertEquals(world.failed(), []);
  world.server.publish("1.3.0", PROGRAM);
  assertEquals((await world.run()).kind, "updated", "no version was rejected for that");
});

Deno.test("performUpdate() takes no program that does not run here, and not again", async () => {
  const table = [
    ["#!/bin/sh\necho hello\n", 'it ended with code 0 and printed "hello"'],
    [programOf("1.3.0", "exit 3"), "it ended with code 3"],
    ["#!/nowhere/sh\n", "Cannot run"],
  ] as const;
  for (const [program, words] of table) {
    await using world = await World.open({ program });
    assertStringIncludes(await world.failure(), words);
    world.assertUnchanged(words);
    const outcome = await world.run();
    assertEquals(outcome.kind === "nothing" && outcome.release.decision, "failed before");
  }
});

withWorld.test("performUpdate() downloads nothing where the running agent does not report, or would not come back", async (world) => {
  let looks = 0;
  const silent = world.partsWith(() => (looks++, { acceptedAtMs: undefined }));
  await assertRejects(
    () => performNow(silent),
    Error,
    "the panel accepts no reports of the running",
  );
  // One to know whether it runs, and then one each half second for a minute, the last one at its end.
  assertEquals(looks, 122);
  const parts = world.parts();
  parts.agent.requireRestart = () => {
    throw new Error("it is no service");
  };
  await assertRejects(() => performNow(parts), Error, "it is no service");
  assertEquals(world.server.requestedPaths, [...LISTS, ...LISTS]);
  // An agent that has ended leaves its health behind: the file is replaced alone.
  const ended = world.partsWith(() => ({ isRunning: false, acceptedAtMs: undefined }));
  assertEquals((await performNow(ended)).kind, "installed");
  assertEquals([ended.agent.restarts, versionIn(world.path)], [0, "1.3.0"]);
  assertEquals([versionIn(`${world.path}.old`), ended.state.read().value], ["1.2.3", undefined]);
});

type Parts = ReturnType<World["parts"]>;

/** What may break in the middle, with the words of the failure. */
const BROKEN: readonly [words: string, prepare: (parts: Parts) => void][] = [
  ["the agent can't be restarted: no such service", ({ agent }) => {
    agent.restart = () => Promise.reject(new Error("no such service"));
  }],
  ["the agent can't be restarted: it did not start", ({ agent }) => {
    agent.restart = () => {
      agent.stop();
      agent.restart = () => agent.start();
      return Promise.reject(new Error("it did not start"));
    };
  }],
  ["Cannot install version 1.3.0: input/output error", ({ files }) => {
    const activate = files.activate.bind(files);
    files.activate = async () => {
      await activate();
      throw new Error("input/output error");
    };
  }],
  ["Cannot install version 1.3.0: input/output error", ({ files }) => {
    files.backUp = () => Promise.reject(new Error("input/output error"));
  }],
];

Deno.test("performUpdate() leaves the version before running when a step fails", async () => {
  for (const [words, prepare] of BROKEN) {
    await using world = await World.open();
    const parts = world.parts();
    prepare(parts);
    const error = await assertRejects(() => performNow(parts), Error);
    assertStringIncludes(describeError(error), words);
    assertEquals(world.versions(), ["1.2.3", "1.2.3"], words);
    assertEquals(world.names().filter((name) => name.endsWith(".new")), []);
    assertEquals(world.parts().state.read().value, { failed: [] });
  }
});

/** Where an update is aborted, with what it leaves then, and how the next one ends. */
const ABORTS: readonly [
  moment: string,
  trial: "open" | "returning" | "none",
  next: string,
  prepare: (world: World, abort: () => void) => Parts,
][] = [
  ["before the new program is tried", "none", "updated", (world, abort) => ({
    ...world.parts(),
    onStep: (step: UpdateStep) => void (step === "fetched" && abort()),
  })],
  ["while the agent restarts", "open", "updated", (world, abort) => {
    const parts = world.parts();
    parts.agent.restart = () => {
      abort();
      return Promise.reject(new Error("ended by a signal"));
    };
    return parts;
  }],
  ["while the version before comes back", "returning", "rolled back", (world, abort) => {
    world.silentVersions.push("1.3.0");
    const parts = world.parts();
    parts.files.rollBack = () => {
      abort();
      return Promise.reject(new Error("ended by a signal"));
    };
    return parts;
  }],
  ["while the version before restarts", "returning", "rolled back", (world, abort) => {
    world.silentVersions.push("1.3.0");
    const parts = world.parts();
    parts.agent.restart = async () => {
      await parts.agent.start();
      parts.agent.restart = () => {
        abort();
        return Promise.reject(new Error("ended by a signal"));
      };
    };
    return parts;
  }],
];

Deno.test("performUpdate() is continued by the next one wherever it is aborted", async () => {
  for (const [moment, trial, next, prepare] of ABORTS) {
    await using world = await World.open();
    const reason = new Error("stopped");
    const user = new AbortController();
    const parts = prepare(world, () => user.abort(reason));
    const error = await performNow(parts, user.signal).catch((error: unknown) => error);
    assertEquals(error, reason, moment);
    const left = world.parts().state.read().value?.trial;
    const found = left === undefined ? "none" : left.isReturning ? "returning" : "open";
    assertEquals(found, trial, moment);
    if (trial === "none") world.assertUnchanged(moment);
    assertEquals((await world.run()).kind, next, moment);
    assertEquals(world.failed(), next === "updated" ? [] : ["1.3.0"]);
  }
});

Deno.test("performUpdate() throws once when there is no backup", async () => {
  await using world = await World.open({ silent: "1.3.0" });
  const remove = (step: UpdateStep) => {
    if (step === "restarted") Deno.removeSync(`${world.path}.old`);
  };
  const error = await assertRejects(() => runFakeUpdate(world.place, remove), Error);
  assertStringIncludes(describeError(error), "Cannot roll back to version 1.2.3: Cannot restore");
  assertEquals([versionIn(world.path), world.failed()], ["1.3.0", ["1.3.0"]]);
  assertEquals(world.parts().state.read().value?.trial, undefined);
});

/** Runs an update in a process that kills itself at a step. */
async function killedAt(world: World, step: UpdateStep): Promise<void> {
  const { path, url, publicKey, silentVersions } = world.place;
  const { signal } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-prompt", "--no-check", KILLED_UPDATE],
      ...[path, url, publicKey, silentVersions.join(), step],
    ],
    stderr: "null",
  }).output();
  assertEquals(signal, "SIGKILL", `it never came to "${step}"`);
}

const KILLED_UPDATE = new URL("killed_update.ts", import.meta.url).pathname;

const STEPS_OF_GOOD: readonly UpdateStep[] = [
  ...["fetched", "runs", "trial written", "old kept", "in place"] as const,
  ...["restarted", "accepted"] as const,
];
const STEPS_OF_BAD: readonly UpdateStep[] = [
  "in place",
  "restarted",
  "rolling back",
  "rolled back",
];

for (const [end, isRebooted] of [["a kill", false], ["a power loss", true]] as const) {
  /** A world in which an update was killed; after a power loss the service starts what is there. */
  const killed = async (step: UpdateStep, silent?: string) => {
    const world = await World.open(silent === undefined ? {} : { silent });
    await killedAt(world, step);
    assert(["1.2.3", "1.3.0"].includes(versionIn(world.path)), "it is whole");
    if (isRebooted) await world.parts().agent.start();
    return world;
  };

  Deno.test(`performUpdate() comes to its end after ${end} at any step`, async () => {
    for (const step of STEPS_OF_GOOD) {
      await using world = await killed(step);
      await world.run();
      assertEquals([...world.versions(), versionIn(`${world.path}.old`)], [
        "1.3.0",
        "1.3.0",
        "1.2.3",
      ]);
      assertEquals(world.parts().state.read().value, { failed: [] }, step);
      assertEquals(world.names(), ["agent", "agent.agent", "agent.old", "agent.update"]);
    }
  });

  Deno.test(`performUpdate() goes back from a mute version after ${end} at any step`, async () => {
    for (const step of STEPS_OF_BAD) {
      await using world = await killed(step, "1.3.0");
      const parts = world.parts();
      assertEquals((await performNow(parts)).kind, "rolled back", step);
      const isBack = isRebooted && step === "rolled back";
      assertEquals(parts.agent.restarts, step === "in place" && !isRebooted ? 2 : isBack ? 0 : 1);
      assertEquals([world.versions(), world.failed()], [["1.2.3", "1.2.3"], ["1.3.0"]]);
      assertEquals(world.parts().state.read().value?.trial, undefined);
    }
  });
}

withWorld.test("performUpdate() changes nothing when the disk is full", async (world) => {
  const disk = `${world.folder}/disk`;
  Deno.mkdirSync(disk);
  await using mount = await mountedInMemory(disk, "size=64k,mode=0700");
  if (mount === undefined) return;
  const path = `${disk}/agent`;
  writeExecutable(path, programOf("1.2.3"));
  await updaterOptions({ ...world.place, path }).agent.start();
  world.server.publish("1.3.0", `${PROGRAM}${"#".repeat(300_000)}\n${PROGRAM.slice(10)}`);
  const run = () => runFakeUpdate({ ...world.place, path });
  const error = await assertRejects(run, Error);
  assertStringIncludes(describeError(error), "No space left on device");
  assertEquals(versionIn(path), "1.2.3");
  const names = Array.from(Deno.readDirSync(disk), ({ name }) => name).sort();
  assertEquals(names, ["agent", "agent.agent", "agent.update"]);
  world.server.publish("1.3.0", PROGRAM);
  assertEquals((await run()).kind, "updated");
});
