import { assertEquals, assertStringIncludes } from "@std/assert";
import { formatUpdateState } from "../../lib/state/update_state.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import type { UpdateStep } from "../../lib/update/trial.ts";
import { writeExecutable } from "../executable.ts";
import { mountedInMemory } from "../mounted.ts";
import { asRoot } from "../only_on.ts";
import { syncedPaths } from "../state/synced_paths.ts";
import { inFolder } from "../temp_folder.ts";
import { testsWith } from "../tests_with.ts";
import { ReleaseKeys } from "./release_keys.ts";
import { programOf, type ServerFaults, sha256 } from "./release_server.ts";
import { type Parts, performNow, PROGRAM, UNCHANGED, VERSIONS, World } from "./world.ts";

/** What is asked for where no program is downloaded. */
const LISTS = ["SHA256SUMS", "SHA256SUMS.sig"].map((name) => `/releases/latest/download/${name}`);

const withWorld = testsWith(() => new World());
const withBad = testsWith(() => new World({ silent: "1.3.0" }));

withWorld.test("performUpdate() installs a newer version, restarts the agent and keeps a backup", async (world) => {
  const { path, server } = world;
  const mode = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o7777;
  // It takes over no bit but who may read, write and start it, and follows no link.
  await Deno.chmod(path, 0o6751);
  const other = `${world.folder}/other`;
  Deno.writeTextFileSync(other, programOf("9.9.9"));
  let staged: number | undefined;
  const answer = () => {
    staged = mode(`${path}.new`);
    return new Response(PROGRAM);
  };
  server.faults = { answer: { portable: answer } };
  const seen: unknown[] = [];
  const parts: Parts = { ...world.parts(), onStep: (step, fields) => seen.push([step, fields]) };
  parts.agent.requireRestart = () => Deno.symlinkSync(other, `${path}.new`);
  assertEquals(await performNow(parts), { kind: "updated", ...VERSIONS });
  assertEquals(seen, [
    ...["fetched", "runs", "trial written"].map((step) => [step, VERSIONS]),
    ["old kept", { ...VERSIONS, path: `${path}.old` }],
    ["in place", { ...VERSIONS, path }],
    ...["restarted", "accepted"].map((step) => [step, VERSIONS]),
  ]);
  assertEquals([staged, mode(path)], [0o600, 0o751]);
  assertEquals(world.sight(), "1.3.0 runs as 1.3.0, agent.old 1.2.3, other 9.9.9");

  server.faults = {};
  server.publish("1.3.1", programOf("1.3.1"));
  await world.run();
  assertEquals(world.sight(), "1.3.1 runs as 1.3.1, agent.old 1.3.0, other 9.9.9");
});

asRoot.test("performUpdate() gives a new program to the owner of the one before", async () => {
  await using world = new World();
  await Deno.chown(world.path, 4711, 4712);
  await world.run();
  const { uid, gid } = Deno.statSync(world.path);
  assertEquals([uid, gid], [4711, 4712]);
});

withBad.test("performUpdate() rolls back when the new version does not report, and does not try again", async (world) => {
  const { server } = world;
  const steps: UpdateStep[] = [];
  const parts: Parts = { ...world.parts(), onStep: (step) => steps.push(step) };
  assertEquals(await performNow(parts), { kind: "rolled back", ...VERSIONS });
  assertEquals(steps.slice(-3), ["restarted", "rolling back", "rolled back"]);
  assertEquals(world.sight(), `${UNCHANGED}, failed 1.3.0`);

  // What an update has left that was killed.
  for (const end of [".new", ".old.new"]) Deno.writeTextFileSync(world.path + end, PROGRAM);
  const before = server.requestedPaths.length;
  assertEquals(await world.run(), "failed before");
  assertEquals(server.requestedPaths.slice(before), LISTS);
  assertEquals(world.sight(), `${UNCHANGED}, failed 1.3.0`);
  server.publish("1.3.1", programOf("1.3.1"));
  assertEquals(await world.run(), "updated");
  assertStringIncludes(world.sight(), "failed 1.3.0", "it is not forgotten");
  for (const [version, why] of [["1.2.2", "not newer"], ["1.4.0-rc.1", "not stable"]] as const) {
    server.publish(version, programOf(version));
    server.requestedPaths.length = 0;
    assertEquals(await world.run(), why);
    assertEquals(server.requestedPaths, LISTS, "it asks for no more");
  }
});

withBad.test("performUpdate() brings each step to the disk before the next", async (world) => {
  const paths = await syncedPaths(() => world.run());
  // The program, the state, and the folder with the backup, the new version and the one before.
  const expected = ["/agent.new", "/agent.update/", "/", "/", "/"];
  assertEquals(paths.map((path) => path.replace(world.folder, "")), expected);
});

withBad.test("performUpdate() tries a rejected version again after a week, and remembers its last time", async (world) => {
  const failed = ([["1.3.0", 7], ["1.2.9", 1]] as const)
    .map(([version, days]) => ({ version, atMs: Date.now() - days * 24 * 60 * 60_000 }));
  await world.parts().state.write(formatUpdateState({ failed }));
  assertEquals(await world.run(), "rolled back");
  assertEquals(world.sight(), `${UNCHANGED}, failed 1.2.9, failed 1.3.0`);
  assertEquals(await world.run(), "failed before");
});

/** Another body than the one that was published, by a word of the path. */
function answers(word: string, text: string): ServerFaults {
  return { answer: { [word]: () => new Response(text) } };
}

const OTHERS = new ReleaseKeys();
const SUMS = sumsOf(PROGRAM);

function sumsOf(program: string): string {
  return `${sha256(program)}  komari-agent-deno-portable\n`;
}

/** What may be wrong with a release; each is refused, and may be better the next time. */
const FAULTS: readonly [words: string, faults: (keys: ReleaseKeys) => ServerFaults][] = [
  // Attacks by whoever controls the release server or a mirror, but not the private key.
  ["SHA256SUMS.sig: 127.0.0.1:", () => ({ signature: "none" })],
  ["is not signed", () => ({ signature: "\n" })],
  ["is not signed", () => ({ signature: "<!DOCTYPE html>" })],
  ["longer than 128 bytes", () => ({ signature: "A".repeat(129) })],
  ["is not signed", (keys) => ({ signature: keys.sign(SUMS).slice(0, 84) })],
  ["is not signed", () => ({ signature: OTHERS.sign(SUMS) })],
  ["is not signed", (keys) => ({ signature: keys.sign(sumsOf(programOf("1.1.0"))) })],
  ["is not signed", (keys) => ({ sums: SUMS + sumsOf("evil"), signature: keys.sign(SUMS) })],
  ["answers a page of HTML \u2192 correct --mirror or --update-url", () => ({ sums: "<html>" })],
  ["SHA256SUMS names no version", () => ({ sums: SUMS })],
  ["longer than 65536 bytes", () => ({ sums: " ".repeat(64 * 1024 + 1) })],
  ["no program for portable", () => ({ sums: "#version=1.3.0\n" })],
  // The program is downloaded.
  ["wrong SHA-256", () => answers("portable", PROGRAM.replace("1.3.0", "1.3.9"))],
  [`does not have ${PROGRAM.length} bytes`, () => answers("portable", `${PROGRAM}more`)],
];

withWorld.test("performUpdate() takes no release that is not signed, whole and of its version", async (world) => {
  const { server } = world;
  for (const [at, [words, faults]] of FAULTS.entries()) {
    server.faults = faults(server.keys);
    server.requestedPaths.length = 0;
    assertStringIncludes(await world.failure(), words);
    const programs = server.requestedPaths.filter((path) => path.endsWith("portable"));
    assertEquals(programs.length, at < FAULTS.length - 2 ? 0 : 1, words);
    assertEquals(world.sight(), UNCHANGED, words);
  }
  for (const publicKey of ["", "x", "MCowBQYDK2VwAyEA", "A".repeat(60), OTHERS.privateKey]) {
    const words = await world.failure({ ...world.parts(), publicKey });
    assertStringIncludes(words, "the public key is invalid");
  }
  // An older release under a newer tag.
  server.faults = {};
  server.publish("1.3.0", programOf("1.1.0"));
  assertStringIncludes(await world.failure(), "its program reports version 1.1.0");
  assertEquals(world.sight(), UNCHANGED, "no version is rejected for that");
  // One that states no size.
  server.publish("1.3.0", PROGRAM);
  server.faults = { sums: `#version=1.3.0\n${SUMS}` };
  assertEquals(await world.run(), "updated");
});

Deno.test("performUpdate() takes no program that does not run here, and not again", async () => {
  const table = [
    ["#!/bin/sh\necho hello\n", 'it ended with code 0 and printed "hello"'],
    [programOf("1.3.0", "exit 3"), "it ended with code 3"],
    ["#!/nowhere/sh\n", "Cannot run"],
  ] as const;
  for (const [program, words] of table) {
    await using world = new World({ program });
    assertStringIncludes(await world.failure(), words);
    assertEquals(world.sight(), `${UNCHANGED}, failed 1.3.0`);
    assertEquals(await world.run(), "failed before");
  }
});

Deno.test("performUpdate() downloads nothing where the running agent does not report, or would not come back", async () => {
  await using mute = new World({ silent: "1.2.3" });
  const parts = mute.parts();
  assertStringIncludes(await mute.failure(parts), "the panel accepts no reports of the running");
  // One to know whether it runs, and then one each half second for a minute, the last one at its end.
  assertEquals(parts.agent.looks, 122);
  parts.agent.requireRestart = () => {
    throw new Error("it is no service");
  };
  assertStringIncludes(await mute.failure(parts), "it is no service");
  assertEquals(mute.server.requestedPaths, [...LISTS, ...LISTS]);
  // An agent that has ended leaves its health behind: the file is replaced alone.
  const ended = mute.parts();
  ended.agent.says = [{ isRunning: false }];
  assertEquals((await performNow(ended)).kind, "installed");
  assertEquals(ended.agent.restarts, 0);
  assertEquals(mute.sight(), "1.3.0 runs as 1.2.3, agent.old 1.2.3");
  assertEquals(ended.state.read().value, undefined);
});

withWorld.test("performUpdate() accepts a version by two consecutive reports of one process, and goes back else", async (world) => {
  const silent = { acceptedAtMs: undefined };
  const old = { version: "1.2.3" };
  const ended = { isRunning: false };
  const endOf = async (...said: (Partial<Health> | undefined)[]) => {
    const parts = world.parts();
    parts.onStep = (step) => {
      if (step !== "restarted") return;
      parts.agent.says = said;
      parts.agent.looks = 0;
    };
    return [(await performNow(parts)).kind, parts.agent.looks];
  };
  const never = [{}, silent, {}, undefined, { pid: 3 }, { pid: 4 }, ended, ended, silent, old];
  // Every half second for a minute, and before the version before is started again.
  assertEquals(await endOf(...never), ["rolled back", 121]);
  world.server.publish("1.3.1", programOf("1.3.1"));
  assertEquals(await endOf(undefined, silent, {}), ["updated", 4]);
});

/** A step that fails from now on, after something was done. */
function failAt<K extends string>(
  object: Record<K, () => Promise<void>>,
  step: K,
  prepare: () => unknown = () => {},
): void {
  object[step] = async () => {
    await prepare();
    throw new Error("input/output error");
  };
}

/** What may break in the middle, with the words of the failure. */
const BROKEN: readonly [words: string, prepare: (parts: Parts) => void][] = [
  ["the agent can't be restarted", ({ agent }) => failAt(agent, "restart")],
  // The one restart has ended it, and the next one starts it.
  ["the agent can't be restarted", ({ agent, files }) =>
    failAt(agent, "restart", () => {
      Deno.removeSync(`${files.path}.agent`);
      agent.restart = () => agent.start();
    })],
  [
    "Cannot install version 1.3.0",
    ({ files }) => failAt(files, "activate", files.activate.bind(files)),
  ],
  ["Cannot install version 1.3.0", ({ files }) => failAt(files, "backUp")],
];

Deno.test("performUpdate() leaves the version before running when a step fails", async () => {
  for (const [words, prepare] of BROKEN) {
    await using world = new World();
    const parts = world.parts();
    prepare(parts);
    assertStringIncludes(await world.failure(parts), `${words}: input/output error`);
    assertEquals(world.sight(), UNCHANGED, words);
  }
});

const DONE = "1.3.0 runs as 1.3.0, agent.old 1.2.3";
const BACK = `${UNCHANGED}, failed 1.3.0`;

/** How an update is aborted, by what it leaves then. */
const ABORTS: Readonly<Record<string, (parts: Parts, abort: () => void) => void>> = {
  // Before the new program is tried.
  [UNCHANGED]: (parts, abort) => parts.onStep = (step) => step === "fetched" && abort(),
  "1.3.0 runs as 1.2.3, agent.old 1.2.3, on trial": ({ agent }, abort) =>
    failAt(agent, "restart", abort),
  "1.3.0 runs as 1.3.0, agent.old 1.2.3, failed 1.3.0, returning": ({ files }, abort) =>
    failAt(files, "rollBack", abort),
  // While the version before restarts.
  "1.2.3 runs as 1.3.0, failed 1.3.0, returning": ({ agent }, abort) =>
    agent.restart = async () => {
      await agent.start();
      failAt(agent, "restart", abort);
    },
};

Deno.test("performUpdate() is continued by the next one wherever it is aborted", async () => {
  for (const [left, prepare] of Object.entries(ABORTS)) {
    const isBad = left.includes("returning");
    await using world = new World({ silent: isBad ? "1.3.0" : "" });
    const reason = new Error("stopped");
    const user = new AbortController();
    const parts = world.parts();
    prepare(parts, () => user.abort(reason));
    assertEquals(await performNow(parts, user.signal).catch((error) => error), reason, left);
    assertEquals(world.sight(), left);
    assertEquals(await world.run(), isBad ? "rolled back" : "updated", left);
    assertEquals(world.sight(), isBad ? BACK : DONE, left);
  }
});

Deno.test("performUpdate() resumes a trial twice, counts that before it goes on, and then goes back", async () => {
  for (
    const [resumes, sight, ...steps] of [
      [1, DONE, "resumed 2", "accepted none"],
      [2, BACK, "rolling back 2", "rolled back 2"],
    ] as const
  ) {
    await using world = new World();
    const parts = world.parts();
    writeExecutable(`${world.path}.old`, programOf("1.2.3"));
    writeExecutable(world.path, PROGRAM);
    if (resumes === 1) await parts.agent.start();
    const trial = { ...VERSIONS, sha256: sha256(PROGRAM), resumes, isReturning: false };
    await parts.state.write(formatUpdateState({ failed: [], trial }));
    const seen: string[] = [];
    parts.onStep = (step) =>
      seen.push(`${step} ${parts.state.read().value?.trial?.resumes ?? "none"}`);
    await performNow(parts);
    assertEquals([world.sight(), ...seen, parts.agent.restarts], [sight, ...steps, 0]);
  }
});

withBad.test("performUpdate() throws once when there is no backup", async (world) => {
  const parts = world.parts();
  parts.onStep = (step) => step === "restarted" && Deno.removeSync(`${world.path}.old`);
  const words = "Cannot roll back to version 1.2.3: Cannot restore";
  assertStringIncludes(await world.failure(parts), words);
  assertEquals(world.sight(), "1.3.0 runs as 1.3.0, failed 1.3.0");
});

/** Where an update is killed, and how often the next one restarts the agent; then after a power loss. */
const KILLS: readonly (readonly [step: UpdateStep, restarts?: number, rebooted?: number])[] = [
  ...[["fetched"], ["runs"], ["trial written"], ["old kept"]] as const,
  ...[["in place"], ["restarted"], ["accepted"]] as const,
  // Of a version that never reports.
  ...[["in place", 2, 1], ["restarted", 1, 1]] as const,
  ...[["rolling back", 1, 1], ["rolled back", 1, 0]] as const,
];
const KILLED_UPDATE = new URL("killed_update.ts", import.meta.url).pathname;

for (const end of ["a kill", "a power loss"]) {
  Deno.test(`performUpdate() comes to its end after ${end} at any step`, async () => {
    for (const [step, afterKill, afterReboot] of KILLS) {
      const isGood = afterKill === undefined;
      await using world = new World({ silent: isGood ? "" : "1.3.0" });
      const words = ["run", "-A", "--no-prompt", "--no-check", KILLED_UPDATE];
      const args = [...words, JSON.stringify(world.place), step];
      const killed = new Deno.Command(Deno.execPath(), { args, stderr: "null" });
      assertEquals((await killed.output()).signal, "SIGKILL", `it never came to "${step}"`);
      const parts = world.parts();
      // After a power loss the service starts what is there.
      if (end === "a power loss") await parts.agent.start();
      await performNow(parts);
      assertEquals(world.sight(), isGood ? DONE : BACK, step);
      if (!isGood) assertEquals(parts.agent.restarts, end === "a kill" ? afterKill : afterReboot);
    }
  });
}

inFolder.test("performUpdate() changes nothing when the disk is full", async ({ path: folder }) => {
  await using mount = await mountedInMemory(folder, "size=64k,mode=0700");
  if (mount === undefined) return;
  const program = `${PROGRAM}${"#".repeat(300_000)}\n${PROGRAM.slice(10)}`;
  await using world = new World({ folder, program });
  assertStringIncludes(await world.failure(), "No space left on device");
  assertEquals(world.sight(), UNCHANGED);
  world.server.publish("1.3.0", PROGRAM);
  assertEquals(await world.run(), "updated");
});
