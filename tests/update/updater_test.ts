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

interface Opening {
  readonly program: string;
  readonly silent: string;
}

/** A program of version 1.2.3 with an agent, a server of releases; all of it is gone afterwards. */
class World implements AsyncDisposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "update-" });
  readonly path = `${this.folder}/agent`;
  readonly server = new ReleaseServer();
  readonly silentVersions: string[] = [];

  /** With a release of the next version; `silent` never reports. */
  static async open({ program = PROGRAM, silent }: Partial<Opening> = {}): Promise<World> {
    const world = new World();
    writeExecutable(world.path, programOf("1.2.3"));
    await world.parts().agent.start();
    world.server.publish("1.3.0", program);
    if (silent !== undefined) world.silentVersions.push(silent);
    return world;
  }

  /** As {@linkcode open}, with a folder for updates from the start. */
  static async openUpdating(options: Partial<Opening> = {}): Promise<World> {
    const world = await World.open(options);
    Deno.mkdirSync(`${world.path}.update`);
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

  failed(): readonly string[] | undefined {
    return this.parts().state.read().value?.failed.map(({ version }) => version);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

const withWorld = testsWith(() => World.open());

withWorld.test("performUpdate() installs a newer version, restarts the agent and keeps a backup", async (world) => {
  await Deno.chmod(world.path, 0o751);
  assertEquals(await world.run(), { kind: "updated", from: "1.2.3", to: "1.3.0" });
  assertEquals([versionIn(world.path), versionIn(`${world.path}.old`)], ["1.3.0", "1.2.3"]);
  assertEquals((Deno.statSync(world.path).mode ?? 0) & 0o777, 0o751);
  assertEquals(world.names(), ["agent", "agent.agent", "agent.old", "agent.update"]);
  assertEquals(world.parts().state.read().value, { failed: [] });
  assertEquals(world.parts().agent.health()?.version, "1.3.0");

  world.server.publish("1.3.1", programOf("1.3.1"));
  await world.run();
  assertEquals([versionIn(world.path), versionIn(`${world.path}.old`)], ["1.3.1", "1.3.0"]);
});

Deno.test("performUpdate() rolls back when the new version does not report, and does not try again", async () => {
  await using world = await World.open({ silent: "1.3.0" });
  const steps: UpdateStep[] = [];
  assertEquals(await world.run(steps), { kind: "rolled back", from: "1.2.3", to: "1.3.0" });
  assertEquals(steps.slice(-3), ["restarted", "rolling back", "rolled back"]);
  assertEquals(versionIn(world.path), "1.2.3");
  assertEquals(world.parts().agent.health()?.version, "1.2.3");
  assertEquals(world.failed(), ["1.3.0"]);
  assertEquals(world.names(), ["agent", "agent.agent", "agent.update"]);

  const before = world.server.requestedPaths.length;
  const outcome = await world.run();
  assertEquals(outcome.kind === "nothing" && outcome.release.decision, "failed before");
  assertEquals(world.server.requestedPaths.slice(before), ["/latest"]);
  world.server.publish("1.3.1", programOf("1.3.1"));
  assertEquals((await world.run()).kind, "updated");
  assertEquals(world.failed(), ["1.3.0"], "it is not forgotten");
});

withWorld.test("performUpdate() takes all through a mirror, by the signed version", async (world) => {
  const place = { ...world.place, url: "", mirror: world.server.origin };
  assertEquals((await runFakeUpdate(place)).kind, "updated");
  assertEquals(versionIn(world.path), "1.3.0");
  const prefix = "/https://github.com/o/n/releases/";
  const paths = world.server.requestedPaths;
  assertEquals(paths.filter((path) => !path.startsWith(prefix)), []);
  assertEquals(paths.at(-1), `${prefix}download/v1.3.0/komari-agent-deno-portable`);
});

withWorld.test("performUpdate() goes back to a version by its exact name, and says so", async (world) => {
  world.server.publish("1.1.0", programOf("1.1.0"));
  const steps: UpdateStep[] = [];
  const place = { ...world.place, url: "", mirror: world.server.origin };
  const back = await runFakeUpdate({ ...place, wanted: "1.1.0" }, (step) => steps.push(step));
  assertEquals(back, { kind: "updated", from: "1.2.3", to: "1.1.0" });
  assertEquals(steps[0], "older");
  assertEquals(versionIn(world.path), "1.1.0");
  world.silentVersions.push("1.0.0");
  world.server.publish("1.0.0", programOf("1.0.0"));
  assertEquals(
    (await runFakeUpdate({ ...place, wanted: "1.0.0", silentVersions: ["1.0.0"] })).kind,
    "rolled back",
  );
  assertEquals(versionIn(world.path), "1.1.0");
});

withWorld.test("performUpdate() tries a version that was rejected again after a week", async (world) => {
  const atMs = Date.now() - 7 * 24 * 60 * 60_000;
  const { state } = world.parts();
  await state.open();
  await state.write(formatUpdateState({ failed: [{ version: "1.3.0", atMs }] }));
  assertEquals((await world.run()).kind, "updated");
});

withWorld.test("performUpdate() remembers each version that failed once, with the last time", async (world) => {
  const dayMs = 24 * 60 * 60_000;
  const { state } = world.parts();
  await state.open();
  const failed = [["1.3.0", 8], ["1.2.9", 1]] as const;
  await state.write(formatUpdateState({
    failed: failed.map(([version, days]) => ({ version, atMs: Date.now() - days * dayMs })),
  }));
  world.silentVersions.push("1.3.0");
  assertEquals((await world.run()).kind, "rolled back");
  assertEquals(world.failed(), ["1.2.9", "1.3.0"]);
  const outcome = await world.run();
  assertEquals(outcome.kind === "nothing" && outcome.release.decision, "failed before");
});

const whileUpdating = testsWith(() => World.openUpdating());

whileUpdating.test("performUpdate() says where the versions are", async (world) => {
  const seen: unknown[] = [];
  const onStep: UpdaterOptions["onStep"] = (step, fields) => void seen.push([step, fields]);
  await performNow({ ...world.parts(), onStep });
  const versions = { from: "1.2.3", to: "1.3.0" };
  assertEquals(seen, [
    ["fetched", versions],
    ["runs", versions],
    ["trial written", versions],
    ["old kept", { ...versions, path: `${world.path}.old` }],
    ["in place", { ...versions, path: world.path }],
    ["restarted", versions],
    ["accepted", versions],
  ]);
});

withWorld.test("performUpdate() only replaces the file when no agent is running", async (world) => {
  world.parts().agent.stop();
  assertEquals(await world.run(), { kind: "installed", from: "1.2.3", to: "1.3.0" });
  assertEquals([versionIn(world.path), versionIn(`${world.path}.old`)], ["1.3.0", "1.2.3"]);
  assertEquals(world.parts().state.read().value, undefined);
});

withWorld.test("performUpdate() asks for no more of a version that is not newer, or not stable", async (world) => {
  const table = [["1.2.2", "not newer"], ["1.3.0-rc.1", "not stable"]] as const;
  for (const [version, decision] of table) {
    world.server.publish(version, programOf(version));
    const outcome = await world.run();
    assertEquals(outcome.kind === "nothing" && outcome.release.decision, decision);
    assertEquals(world.server.requestedPaths.splice(0), ["/latest"]);
    assertEquals(versionIn(world.path), "1.2.3");
  }
});

/** Another body than the one that was published. */
function body(text: string): () => Response {
  return () => new Response(text);
}

function answers(answer: NonNullable<ServerFaults["answer"]>): ServerFaults {
  return { answer };
}

const ASSET = { name: "komari-agent-deno-portable", size: 9 };

/** What may be wrong with a release that is not hostile, and what is said of it. */
const FAULTS: [kind: string, faults: ServerFaults, words: string][] = [
  [
    "the description is endless",
    answers({ latest: body(" ".repeat(1024 * 1024 + 1)) }),
    "longer than 1048576 bytes",
  ],
  [
    "it has no file for here",
    { asset: { name: "komari-agent-deno-linux-riscv64" } },
    "the release has no program for portable",
  ],
  [
    "it has no list of hashes",
    { release: { assets: [{ ...ASSET, browser_download_url: "http://127.0.0.1:9/x" }] } },
    "the release has no SHA256SUMS",
  ],
  ["the list of hashes is endless", { sums: " ".repeat(64 * 1024 + 1) }, "longer than 65536 bytes"],
  [
    "the hash is wrong",
    answers({ portable: body(PROGRAM.replace("1.3.0", "1.3.9")) }),
    "has the wrong SHA-256",
  ],
  [
    "the file is longer",
    answers({ portable: body(`${PROGRAM}more`) }),
    `does not have ${PROGRAM.length} bytes`,
  ],
];

const OTHERS = new ReleaseKeys();

/** Attacks by whoever controls the release server or a mirror, but not the private key. */
const ATTACKS: [kind: string, faults: (keys: ReleaseKeys) => ServerFaults, words: string][] = [
  [
    "the signature is stripped",
    () => ({ signature: undefined }),
    "the release has no SHA256SUMS.sig",
  ],
  ["the signature is empty", () => ({ signature: "\n" }), "is not signed"],
  ["the signature is a page", () => ({ signature: "<!DOCTYPE html>" }), "is not signed"],
  ["the signature is endless", () => ({ signature: "A".repeat(129) }), "longer than 128 bytes"],
  [
    "the signature is short",
    (keys) => ({ signature: keys.sign(sumsOf(PROGRAM)).slice(0, 84) }),
    "is not signed",
  ],
  [
    "the signature is by another key",
    () => ({ signature: OTHERS.sign(sumsOf(PROGRAM)) }),
    "is not signed",
  ],
  [
    "the signature is of other sums",
    (keys) => ({ signature: keys.sign(sumsOf(programOf("1.1.0"))) }),
    "is not signed",
  ],
  [
    "the sums were changed after they were signed",
    (keys) => ({
      sums: `${sumsOf(PROGRAM)}${sumsOf("evil")}`,
      signature: keys.sign(sumsOf(PROGRAM)),
    }),
    "is not signed",
  ],
];

function sumsOf(program: string): string {
  return `${sha256(new TextEncoder().encode(program))}  komari-agent-deno-portable\n`;
}

for (const [kind, faults, words] of ATTACKS) {
  withWorld.test(`performUpdate() downloads no program when ${kind}`, async (world) => {
    world.server.faults = faults(world.server.keys);
    assertStringIncludes(await world.failure(), words);
    assertEquals(world.server.requestedPaths.filter((path) => path.endsWith("portable")), []);
    assertEquals(world.names(), ["agent", "agent.agent", "agent.update"]);
    world.server.faults = {};
    assertEquals((await world.run()).kind, "updated", "the release itself is in order");
  });
}

withWorld.test("performUpdate() takes no older release under a newer tag, and rejects no version for that", async (world) => {
  world.server.publish("1.3.0", programOf("1.1.0"));
  assertStringIncludes(await world.failure(), "its program reports version 1.1.0");
  assertEquals(versionIn(world.path), "1.2.3");
  assertEquals(world.names(), ["agent", "agent.agent", "agent.update"]);
  world.server.publish("1.3.0", PROGRAM);
  assertEquals((await world.run()).kind, "updated");
});

withWorld.test("performUpdate() downloads no program of another version than the signed one", async (world) => {
  world.server.faults = { sums: `#version=1.1.0\n${sumsOf(PROGRAM)}` };
  assertStringIncludes(await world.failure(), "SHA256SUMS is of version 1.1.0, not 1.3.0");
  assertEquals(world.server.requestedPaths.filter((path) => path.endsWith("portable")), []);
  world.server.faults = { sums: `#version=1.3.0\n${sumsOf(PROGRAM)}` };
  assertEquals((await world.run()).kind, "updated");
});

withWorld.test("performUpdate() throws when the public key is invalid", async (world) => {
  for (const publicKey of ["", "x", "MCowBQYDK2VwAyEA", "A".repeat(60), OTHERS.privateKey]) {
    const parts = updaterOptions({ ...world.place, publicKey });
    await assertRejects(() => performNow(parts), Error, "the public key is invalid");
  }
  assertEquals(versionIn(world.path), "1.2.3");
});

for (const [kind, faults, words] of FAULTS) {
  withWorld.test(`performUpdate() leaves everything as it is when ${kind}`, async (world) => {
    world.server.faults = faults;
    assertStringIncludes(await world.failure(), words);
    assertEquals(world.names(), ["agent", "agent.agent", "agent.update"]);
    assertEquals(versionIn(world.path), "1.2.3");
    assertEquals(world.failed(), undefined, "it may be better the next time");
    world.server.publish("1.3.0", PROGRAM);
    world.server.faults = {};
    assertEquals((await world.run()).kind, "updated");
  });
}

const BAD_PROGRAMS: Record<string, [string, string]> = {
  "says something else": [
    "#!/bin/sh\necho hello\n",
    'it printed "hello\\n" instead of its version',
  ],
  "fails": [programOf("1.3.0", "exit 3"), "exit code 3"],
  "can't be started": ["#!/nowhere/sh\n", "Cannot run"],
};

for (const [kind, [program, words]] of Object.entries(BAD_PROGRAMS)) {
  Deno.test(`performUpdate() does not take a program that ${kind}, and not again`, async () => {
    await using world = await World.open({ program });
    assertStringIncludes(await world.failure(), words);
    assertEquals(world.names(), ["agent", "agent.agent", "agent.update"]);
    assertEquals(versionIn(world.path), "1.2.3");
    const outcome = await world.run();
    assertEquals(outcome.kind === "nothing" && outcome.release.decision, "failed before");
  });
}

withWorld.test("performUpdate() throws when the running agent does not report", async (world) => {
  world.silentVersions.push("1.2.3");
  await world.parts().agent.start();
  assertStringIncludes(await world.failure(), "the panel accepts no reports of the running agent");
  assertEquals(world.server.requestedPaths, ["/latest"]);
});

withWorld.test("performUpdate() waits a minute for a report of the running agent", async (world) => {
  let looks = 0;
  const parts = world.partsWith(() => (looks++, { acceptedAtMs: undefined }));
  await assertRejects(() => performNow(parts), Error, "the panel accepts no reports");
  // One to know whether it runs, and then one each half second, the last one at its end.
  assertEquals(looks, 122);
});

withWorld.test("performUpdate() downloads nothing for an agent that would not come back", async (world) => {
  const parts = world.parts();
  parts.agent.requireRestart = () => Promise.reject(new Error("it runs at a terminal"));
  await assertRejects(() => performNow(parts), Error, "it runs at a terminal");
  assertEquals(world.server.requestedPaths, ["/latest"]);
  // An agent that has ended leaves its health behind.
  Deno.mkdirSync(`${world.path}.update`);
  const ended = world.partsWith(() => ({ isRunning: false, acceptedAtMs: undefined }));
  assertEquals((await performNow(ended)).kind, "installed");
  assertEquals([ended.agent.restarts, versionIn(world.path)], [0, "1.3.0"]);
});

Deno.test("performUpdate() wants a report of the last two intervals and 15 s", async () => {
  const table = [
    [17_000, 1_000, true],
    [17_001, 1_000, false],
    [135_000, 60_000, true],
    [135_001, 60_000, false],
  ] as const;
  for (const [agoMs, intervalMs, isRecent] of table) {
    await using world = await World.open();
    const health = () => ({ acceptedAtMs: Date.now() - agoMs, intervalMs });
    const updating = performNow(world.partsWith(health));
    if (isRecent) assertEquals((await updating).kind, "updated", `${agoMs} ms`);
    else await assertRejects(() => updating, Error, "the panel accepts no reports", `${agoMs} ms`);
  }
});

whileUpdating.test("performUpdate() rolls back when the agent can't be restarted", async (world) => {
  const parts = world.parts();
  parts.agent.restart = () => Promise.reject(new Error("no such service"));
  const error = await assertRejects(() => performNow(parts), Error);
  assertStringIncludes(describeError(error), "the agent can't be restarted: no such service");
  assertEquals(versionIn(world.path), "1.2.3");
  assertEquals(world.parts().state.read().value, { failed: [] });
});

whileUpdating.test("performUpdate() rolls back when the disk fails during activation", async (world) => {
  const parts = world.parts();
  const { files } = parts;
  const activate = files.activate.bind(files);
  files.activate = async () => {
    await activate();
    throw new Error("input/output error");
  };
  await assertRejects(() => performNow(parts), Error, "Cannot install version");
  assertEquals(versionIn(world.path), "1.2.3");
  assertEquals(world.parts().state.read().value, { failed: [] });
});

Deno.test("performUpdate() leaves nothing when the version before can't be kept", async () => {
  for (const isRunning of [true, false]) {
    await using world = await World.openUpdating();
    const parts = world.parts();
    if (!isRunning) parts.agent.stop();
    parts.files.backUp = () => Promise.reject(new Error("input/output error"));
    const error = await assertRejects(() => performNow(parts), Error);
    assertStringIncludes(describeError(error), "Cannot install version 1.3.0: input/output error");
    assertEquals(versionIn(world.path), "1.2.3");
    assertEquals(world.names().filter((name) => !/^agent(\.agent|\.update)?$/.test(name)), []);
    assertEquals(world.parts().state.read().value, isRunning ? { failed: [] } : undefined);
  }
});

/** Where an update is aborted, with what it leaves then, and how the next one ends. */
const ABORTS: Record<
  string,
  {
    prepare: (world: World, abort: () => void) => ReturnType<World["parts"]>;
    trial: "open" | "returning" | "none";
    next: string;
  }
> = {
  "before the new program is tried": {
    prepare: (world, abort) => ({
      ...world.parts(),
      onStep: (step: UpdateStep) => void (step === "fetched" && abort()),
    }),
    trial: "none",
    next: "updated",
  },
  "while the agent does not report yet": {
    prepare(world, abort) {
      world.silentVersions.push("1.2.3");
      let looks = 0;
      return world.partsWith(() => {
        if (++looks === 2) abort();
        return { acceptedAtMs: undefined };
      });
    },
    trial: "none",
    next: "updated",
  },
  "while the agent restarts": {
    prepare(world, abort) {
      const parts = world.parts();
      parts.agent.restart = () => {
        abort();
        return Promise.reject(new Error("ended by a signal"));
      };
      return parts;
    },
    trial: "open",
    next: "updated",
  },
  "while a report is waited for": {
    prepare(world, abort) {
      const parts = world.parts();
      parts.agent.restart = async () => {
        await parts.agent.start();
        parts.agent.stop();
        abort();
        return true;
      };
      return parts;
    },
    trial: "open",
    next: "rolled back",
  },
  "while the version before comes back": {
    prepare(world, abort) {
      world.silentVersions.push("1.3.0");
      const parts = world.parts();
      parts.files.rollBack = () => {
        abort();
        return Promise.reject(new Error("ended by a signal"));
      };
      return parts;
    },
    trial: "returning",
    next: "rolled back",
  },
  "while the version before restarts": {
    prepare(world, abort) {
      world.silentVersions.push("1.3.0");
      const parts = world.parts();
      parts.agent.restart = async () => {
        await parts.agent.start();
        parts.agent.restart = () => {
          abort();
          return Promise.reject(new Error("ended by a signal"));
        };
        return true;
      };
      return parts;
    },
    trial: "returning",
    next: "rolled back",
  },
};

for (const [kind, { prepare, trial, next }] of Object.entries(ABORTS)) {
  whileUpdating.test(`performUpdate() is continued by the next one when it is aborted ${kind}`, async (world) => {
    const reason = new Error("stopped");
    const user = new AbortController();
    const parts = prepare(world, () => user.abort(reason));
    const error = await performNow(parts, user.signal).catch((error: unknown) => error);
    assertEquals(error, reason);
    const left = world.parts().state.read().value?.trial;
    const found = left === undefined ? "none" : left.isReturning ? "returning" : "open";
    assertEquals(found, trial);
    if (trial === "none") {
      assertEquals(world.names(), ["agent", "agent.agent", "agent.update"]);
      world.silentVersions.length = 0;
    }
    assertEquals((await world.run()).kind, next);
    assertEquals(world.failed(), next === "updated" ? [] : ["1.3.0"]);
  });
}

whileUpdating.test("performUpdate() starts the old version when the restart only stopped the agent", async (world) => {
  const parts = world.parts();
  const restart = async () => {
    await parts.agent.start();
    return true;
  };
  parts.agent.restart = () => {
    parts.agent.stop();
    parts.agent.restart = restart;
    return Promise.reject(new Error("it did not start"));
  };
  const error = await assertRejects(() => performNow(parts), Error);
  assertStringIncludes(describeError(error), "the agent can't be restarted: it did not start");
  assertEquals(parts.agent.health()?.version, "1.2.3");
});

Deno.test("performUpdate() finishes a failed roll-back at the next run", async () => {
  await using world = await World.openUpdating({ silent: "1.3.0" });
  const parts = world.parts();
  parts.agent.restart = async () => {
    await parts.agent.start();
    parts.agent.restart = () => Promise.reject(new Error("too busy"));
    return true;
  };
  const error = await assertRejects(() => performNow(parts), Error);
  const words = "as version 1.2.3, which is installed again: too busy";
  assertStringIncludes(describeError(error), words);
  assertEquals(versionIn(world.path), "1.2.3");
  assertEquals((await world.run()).kind, "rolled back");
  assertEquals(world.parts().agent.health()?.version, "1.2.3");
  assertEquals(world.parts().state.read().value?.trial, undefined);
  assertEquals(world.failed(), ["1.3.0"]);
});

withWorld.test("performUpdate() rolls back when a trial was interrupted too often", async (world) => {
  world.silentVersions.push("1.3.0");
  await Deno.rename(world.path, `${world.path}.old`);
  writeExecutable(world.path, PROGRAM);
  await world.parts().agent.start();
  const trial = {
    ...{ from: "1.2.3", to: "1.3.0", sha256: sha256(new TextEncoder().encode(PROGRAM)) },
    ...{ resumes: 2, isReturning: false },
  };
  {
    using state = world.parts().state;
    await state.write(formatUpdateState({ trial, failed: [] }));
  }
  const steps: UpdateStep[] = [];
  assertEquals((await world.run(steps)).kind, "rolled back");
  assertEquals(steps, ["rolling back", "rolled back"]);
  assertEquals(versionIn(world.path), "1.2.3");
});

Deno.test("performUpdate() throws once when there is no backup", async () => {
  await using world = await World.open({ silent: "1.3.0" });
  const error = await assertRejects(() =>
    runFakeUpdate(world.place, (step) => {
      if (step === "restarted") Deno.removeSync(`${world.path}.old`);
    }), Error);
  assertStringIncludes(describeError(error), "Cannot roll back to version 1.2.3: Cannot restore");
  assertEquals(versionIn(world.path), "1.3.0");
  assertEquals(world.parts().state.read().value?.trial, undefined);
  assertEquals(world.failed(), ["1.3.0"]);
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
for (const step of STEPS_OF_GOOD) {
  for (const rebooted of [false, true]) {
    const end = rebooted ? "a power loss" : "a kill";
    withWorld.test(`performUpdate() comes to its end after ${end} at "${step}"`, async (world) => {
      await killedAt(world, step);
      const version = versionIn(world.path);
      assert(version === "1.2.3" || version === "1.3.0", version);
      // After a power loss the service starts what is there.
      if (rebooted) await world.parts().agent.start();
      await world.run();
      assertEquals(versionIn(world.path), "1.3.0");
      assertEquals(versionIn(`${world.path}.old`), "1.2.3");
      assertEquals(world.parts().agent.health()?.version, "1.3.0");
      assertEquals(world.parts().state.read().value, { failed: [] });
      assertEquals(world.names(), ["agent", "agent.agent", "agent.old", "agent.update"]);
    });
  }
}

const STEPS_OF_BAD: readonly UpdateStep[] = [
  "in place",
  "restarted",
  "rolling back",
  "rolled back",
];
for (const step of STEPS_OF_BAD) {
  for (const rebooted of [false, true]) {
    const end = rebooted ? "a power loss" : "a kill";
    Deno.test(`performUpdate() goes back from a mute version after ${end} at "${step}"`, async () => {
      await using world = await World.open({ silent: "1.3.0" });
      await killedAt(world, step);
      if (rebooted) await world.parts().agent.start();
      const parts = world.parts();
      assertEquals((await performNow(parts)).kind, "rolled back");
      assertEquals(versionIn(world.path), "1.2.3");
      assertEquals(parts.agent.health()?.version, "1.2.3");
      const isBack = rebooted && step === "rolled back";
      assertEquals(parts.agent.restarts, step === "in place" && !rebooted ? 2 : isBack ? 0 : 1);
      assertEquals(world.parts().state.read().value?.trial, undefined);
      assertEquals(world.failed(), ["1.3.0"]);
    });
  }
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
