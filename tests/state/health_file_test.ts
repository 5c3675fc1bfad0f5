import { assert, assertEquals, assertMatch } from "@std/assert";
import { FakeTime } from "../fake_time.ts";
import { openBelow } from "../open_below.ts";
import { HeldLock } from "../held_lock.ts";
import { replaced } from "../replaced.ts";
import { HealthFile, type PanelHealth, PROBLEM_PARTS } from "../../lib/state/health_file.ts";
import { readHealth } from "../../lib/state/health_reader.ts";
import { same } from "../cases.ts";
import { collectedLog } from "../log/collected_log.ts";
import { acceptAt } from "./accept_at.ts";
import { ClosedFolder, inClosedFolder } from "../closed_folder.ts";
import { ABOUT, openHealth } from "./health_folder.ts";
import { asRoot, onLinux } from "../only_on.ts";

/** What is read of an agent that runs, and of which nothing is known. */
const RUNNING = { isRunning: true, panels: [], problems: [] };
const modeOf = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;

inClosedFolder.test("HealthFile tells of the last accepted report, and is gone when the agent ends", (parent) => {
  const folder = `${parent.path}/run`;
  assertEquals(readHealth([folder]), undefined);
  const started = { ...ABOUT, stateFolder: "/s", configDigest: "00af" };
  const file = HealthFile.open(["/dev/null/run", folder], started);
  assert(file !== undefined);
  const before = { ...started, ...RUNNING, intervalMs: 0, acceptedAtMs: undefined, seal: "" };
  const { startedAtMs, ...about } = readHealth(["/nowhere", folder]) ?? {};
  assertEquals(about, { ...before, pid: Deno.pid });
  assert(startedAtMs !== undefined && startedAtMs <= Date.now());
  acceptAt(file, { intervalMs: 3000, atMs: 1234 });
  const { acceptedAtMs, intervalMs } = readHealth([folder]) ?? {};
  assertEquals([acceptedAtMs, intervalMs], [1234, 3000]);
  file.close();
  assertEquals(readHealth([folder]), undefined);
});

inClosedFolder.test("HealthFile.open() makes a folder and a file that all may read", (parent) => {
  const folder = `${parent.path}/run`;
  const file = HealthFile.open([folder], ABOUT);
  assertEquals([folder, `${folder}/health`].map(modeOf), [0o755, 0o644]);
  file?.close();
});

inClosedFolder.test("HealthFile.open() writes over the longer record that an agent has left", (folder) => {
  Deno.writeTextFileSync(`${folder.path}/health`, "x".repeat(20_000));
  const file = HealthFile.open([folder.path], ABOUT);
  assertEquals(readHealth([folder.path])?.version, "1.2.3");
  file?.close();
});

inClosedFolder.test("HealthFile's lock can be held by nobody who may only read", (folder) => {
  Deno.writeTextFileSync(`${folder.path}/health`, "{}");
  const theirs = Deno.openSync(`${folder.path}/health`);
  assert(theirs.tryLockSync(true), "reading is enough for a lock");
  const file = HealthFile.open([folder.path], ABOUT);
  assert(file !== undefined, "an agent starts all the same");
  assertEquals(modeOf(`${folder.path}/health.lock`), 0o600);
  assertEquals(readHealth([folder.path])?.isRunning, true);
  const killed = Deno.readFileSync(`${folder.path}/health`);
  file.close();
  Deno.writeFileSync(`${folder.path}/health`, killed);
  using again = Deno.openSync(`${folder.path}/health`);
  assert(again.tryLockSync(true));
  assertEquals(readHealth([folder.path])?.isRunning, false, "an agent that was killed");
  theirs.close();
});

inClosedFolder.test("HealthFile holds the lock of the file too, for users who may not open the other", (folder) => {
  const file = HealthFile.open([folder.path], ABOUT);
  using theirs = Deno.openSync(`${folder.path}/health`);
  assert(!theirs.tryLockSync(false));
  file?.close();
});

const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

/** An agent that seals itself; run apart, since the seal holds for good. */
const SEALED = `
import { HealthFile } from "${new URL("../../lib/state/health_file.ts", import.meta.url)}";
import { sealProcess } from "${new URL("../../lib/sandbox/seal.ts", import.meta.url)}";
const [folder] = Deno.args;
const file = HealthFile.open([folder], ${JSON.stringify(ABOUT)});
// The runtime opens the pipe for signals with the first listener, and a sealed process may not.
Deno.addSignalListener("SIGTERM", () => Deno.exit(2));
await sealProcess();
file.setSeal("sealed");
file.accepted(3000);
console.log("accepted");
for await (const _ of Deno.stdin.readable) { /* until its end */ }
file.close();
`;

onLinux.test("HealthFile goes on telling when the agent is sealed, in the folder of containers too", async () => {
  const folder = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "health-" });
  const program = Deno.makeTempFileSync({ suffix: ".js" });
  Deno.writeTextFileSync(program, SEALED);
  try {
    const soonestMs = Date.now();
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", "--no-check", `--config=${CONFIG}`, program, folder],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    const { acceptedAtMs = 0, startedAtMs: _, ...about } = readHealth([folder]) ?? {};
    const sealed = { intervalMs: 3000, seal: "sealed" };
    assertEquals(about, { ...ABOUT, ...RUNNING, ...sealed, pid: child.pid });
    assert(acceptedAtMs >= soonestMs && acceptedAtMs <= Date.now(), `${acceptedAtMs}`);
    await child.stdin.close();
    await reader.cancel();
    assertEquals((await child.status).success, true);
    assertEquals(readHealth([folder]), undefined, "it has stopped");
    const next = HealthFile.open([folder], ABOUT);
    assertEquals(readHealth([folder])?.pid, Deno.pid);
    next?.close();
  } finally {
    Deno.removeSync(folder, { recursive: true });
    Deno.removeSync(program);
  }
});

/** Runs something whose pauses do `act` instead of blocking the thread. */
function whilePausing<T>(act: (ms: number | undefined) => void, run: () => T): T {
  const wait = (...[, , , ms]: unknown[]) => {
    act(Number(ms));
    return "timed-out";
  };
  using _pauses = replaced<object>(Atomics, { wait });
  return run();
}

inClosedFolder.test("HealthFile.open() leaves a file to the agent that has it", (folder) => {
  const first = HealthFile.open([folder.path], ABOUT);
  let pauses = 0;
  const open = () => HealthFile.open([folder.path], { version: "2" });
  const second = whilePausing(() => void pauses++, open);
  assertEquals([second, pauses], [undefined, 0], "it does not wait for it either");
  assertEquals(readHealth([folder.path])?.version, "1.2.3");
  first?.close();
});

inClosedFolder.test("HealthFile.open() takes no look at how an agent is for another agent", (folder) => {
  Deno.writeTextFileSync(`${folder.path}/health`, "{}");
  const look = new HeldLock(`${folder.path}/health`, { shared: true });
  const open = () => HealthFile.open([folder.path], ABOUT);
  const file = whilePausing(() => look[Symbol.dispose](), open);
  assertEquals(readHealth([folder.path])?.isRunning, true);
  file?.close();
});

inClosedFolder.test("HealthFile.open() tries ten times, and gives up before a lock that somebody shares for ever", (folder) => {
  const path = `${folder.path}/health.lock`;
  using theirs = Deno.openSync(path, { read: true, write: true, create: true });
  assert(theirs.tryLockSync(false));
  const pauses: unknown[] = [];
  const open = () => HealthFile.open([folder.path, `${folder.path}/other`], ABOUT);
  // It lets go of the lock meanwhile.
  const look = (ms?: number) =>
    void pauses.push([ms, theirs.tryLockSync(true), theirs.tryLockSync(false)]);
  const file = whilePausing(look, open);
  assertEquals([file, pauses], [undefined, Array(9).fill([5, true, true])]);
  assertEquals(openBelow(folder.path), [path], "but for theirs nothing stays open");
});

inClosedFolder.test("HealthFile.open() takes the next folder where it can't have the lock's file", (folder) => {
  Deno.mkdirSync(`${folder.path}/a/health.lock`, { recursive: true });
  const file = HealthFile.open([`${folder.path}/a`, `${folder.path}/b`], ABOUT);
  assertEquals(file?.path, `${folder.path}/b/health`);
  assertEquals(openBelow(`${folder.path}/a`), []);
  file?.close();
});

/** What `HealthFile.open()` says, without the time. */
async function said(act: () => void): Promise<string[]> {
  const log = await collectedLog(() => Promise.resolve(act()));
  return log.map((line) => line.replace(/^\S+ /, ""));
}

/** What it says of folders in which it makes no file. */
async function refusal(...folders: readonly string[]): Promise<string[]> {
  return await said(() => assertEquals(HealthFile.open(folders, ABOUT), undefined));
}

asRoot.test("HealthFile.open() takes no folder of another user, and says so", async () => {
  using folder = new ClosedFolder();
  Deno.chownSync(folder.path, 65534, 65534);
  assertEquals(await refusal(folder.path), [
    `warning agent: No health file: ${folder.path} belongs to another user`,
    `warning agent: \`health\` and \`status\` can't see this agent: ${folder.path} belongs to another user`,
  ]);
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

inClosedFolder.test("HealthFile.open() follows no link that somebody has put there", async (parent) => {
  Deno.mkdirSync(`${parent.path}/theirs`);
  Deno.symlinkSync(`${parent.path}/theirs`, `${parent.path}/run`);
  const shown = (await refusal(`${parent.path}/run`))[0] ?? "";
  assertMatch(shown, /No health file: .*\/run is no folder/);
  assertEquals([...Deno.readDirSync(`${parent.path}/theirs`)], []);
});

inClosedFolder.test("HealthFile.open() closes its folder to others, but none that is shared on purpose", async (parent) => {
  const folder = `${parent.path}/open`;
  Deno.mkdirSync(folder);
  for (const mode of [0o777, 0o775, 0o757]) {
    Deno.chmodSync(folder, mode);
    HealthFile.open([folder], ABOUT)?.close();
    assertEquals(modeOf(folder), 0o755);
  }
  Deno.chmodSync(folder, 0o1777);
  const log = await said(() => {
    const file = HealthFile.open([folder, `${parent.path}/own`], ABOUT);
    assertEquals(file?.path, `${parent.path}/own/health`);
    file?.close();
  });
  assertEquals(log, [`warning agent: No health file: other users may write to ${folder}`]);
});

asRoot.test("HealthFile.open() takes no file that others have put into its folder before", async () => {
  using folder = new ClosedFolder();
  Deno.chmodSync(folder.path, 0o777);
  Deno.writeTextFileSync(`${folder.path}/health`, "");
  Deno.chownSync(`${folder.path}/health`, 65534, 65534);
  const [line = ""] = await refusal(folder.path);
  assertMatch(line, /No health file: .*\/health belongs to another user/);
});

inClosedFolder.test("HealthFile.open() writes to nothing that a link in its folder leads to", async (folder) => {
  Deno.writeTextFileSync(`${folder.path}/theirs`, "as it was");
  Deno.symlinkSync("theirs", `${folder.path}/health`);
  await refusal(folder.path);
  assertEquals(Deno.readTextFileSync(`${folder.path}/theirs`), "as it was");
});

inClosedFolder.test("HealthFile.open() takes the next folder where the memory of the first is full, or does without", async (parent) => {
  const { writeSync } = Deno.FsFile.prototype;
  let full = `${parent.path}/full`;
  using _full = replaced(Deno.FsFile.prototype, {
    writeSync(this: Deno.FsFile, bytes) {
      if (openBelow(full).length > 0) throw new Error("No space left on device (os error 28)");
      return writeSync.call(this, bytes);
    },
  });
  const file = HealthFile.open([`${parent.path}/full`, `${parent.path}/next`], ABOUT);
  assertEquals(file?.path, `${parent.path}/next/health`);
  file?.close();
  full = parent.path;
  const [line] = await refusal(`${parent.path}/full`, `${parent.path}/next`);
  assertMatch(line ?? "", /can't see this agent: .*full\/health: No space.*next\/health: No space/);
});

Deno.test("HealthFile keeps what does not work, since when, and forgets it when it works again", () => {
  using time = new FakeTime({ now: 1000 });
  using folder = new ClosedFolder();
  using file = openHealth(folder.path, { ...ABOUT, secrets: ["t0ken"] });
  file.setProblem("ping", undefined);
  file.setProblem("state", "No space left for t0ken");
  file.setProblem("ping", "no socket");
  time.tick(1000);
  file.setProblem("ping", "no ping");
  assertEquals(readHealth([folder.path])?.problems, [
    { part: "state", text: "No space left for …", sinceMs: 1000 },
    { part: "ping", text: "no ping", sinceMs: 1000 },
  ]);
  file.setProblem("state", undefined);
  assertEquals(readHealth([folder.path])?.problems.map(({ part }) => part), ["ping"]);
});

inClosedFolder.test("HealthFile writes no secret, and cuts its texts after that", (folder) => {
  const secrets = ["t0ken-of-the-node"];
  using file = openHealth(folder.path, { ...ABOUT, secrets });
  const text = `redirected to /login/${secrets[0]}/${"x".repeat(300)}`;
  const panel = { panel: "p", sinceMs: 1, failures: 1, probes: 0, error: { text, atMs: 4 } };
  file.setPanels([panel], { now: true });
  const written = Deno.readTextFileSync(`${folder.path}/health`);
  assert(!written.includes("t0ken") && written.includes("/login/…/xxx"), written);
  const later = { text: "x".repeat(290) + "later-token", atMs: 4 };
  file.setPanels([{ ...panel, error: later }], { now: true });
  secrets.push("later-token");
  file.setPanels([{ ...panel, error: later }], { now: true });
  assert(!Deno.readTextFileSync(`${folder.path}/health`).includes("later"));
  file.setPanels([{ ...panel, panel: `p.example/${secrets[0]}` }], { now: true });
  assertEquals(readHealth([folder.path])?.panels[0]?.panel, "p.example/…");
  const lostTargets = [{ kind: "http", target: "https://user:pass@a.example/x?key=1" } as const];
  file.setPanels([{ ...panel, lostTargets }], { now: true });
  const [lost] = readHealth([folder.path])?.panels[0]?.lostTargets ?? [];
  assertEquals(lost, { kind: "http", target: "https://…@a.example/x?…" });
});

inClosedFolder.test("HealthFile keeps sixteen panels, with the next report if not at once, and cuts each text", (folder) => {
  using file = openHealth(folder.path);
  const panel = { sinceMs: 1, failures: 0, probes: 0 };
  const panels = Array.from({ length: 17 }, (_, at) => ({ ...panel, panel: `${at}` }));
  file.setPanels(panels, { now: false });
  assertEquals(readHealth([folder.path])?.panels, []);
  file.accepted(1000);
  assertEquals(readHealth([folder.path])?.panels.length, 16);
  file.setSeal("s".repeat(301));
  assertEquals(readHealth([folder.path])?.seal.length, 300);
  file.setProblem("ping", "p".repeat(301));
  assertEquals(readHealth([folder.path])?.problems[0]?.text.length, 300);
});

inClosedFolder.test("HealthFile keeps the state of each panel, whatever is in its texts", (folder) => {
  using file = openHealth(folder.path);
  const counts = { sinceMs: 1, acceptedAtMs: 2, failures: 3, probes: 5 };
  const panel = { panel: "p.example", transport: "v2 POST", ...counts };
  file.setPanels([{ ...panel, error: { text: "坏了 \n\u202e\ud800", atMs: 4 } }], { now: true });
  const error = { text: "坏了  \ud800", atMs: 4 };
  assertEquals(readHealth([folder.path])?.panels, [{ ...panel, error }]);
});

/** The longest record that an agent can have, whose texts have so many bytes a character. */
function longPanels(count: number, character: string): PanelHealth[] {
  const sinceMs = Date.UTC(2100, 0);
  const many = Number.MAX_SAFE_INTEGER;
  return Array.from({ length: count }, (_, at) => ({
    panel: `${at}.example/`.padEnd(300, "a"),
    transport: "v2 WebSocket",
    ...{ sinceMs, acceptedAtMs: sinceMs, failures: many, probes: many, shortConnections: many },
    ...{ lastMinute: many, lost: many },
    ...{ shortestMs: 14_999, longestMs: 14_999 },
    lostTargets: Array.from({ length: 10 }, () => ({ kind: "tcp", target: "t".repeat(2048) })),
    error: { text: character.repeat(5000), atMs: sinceMs },
  }));
}

inClosedFolder.test("HealthFile cuts texts until all panels fit, and drops none, whatever they are written in", (folder) => {
  using file = openHealth(folder.path);
  same((character) => {
    file.setSeal(character.repeat(5000));
    for (const part of PROBLEM_PARTS) file.setProblem(part, character.repeat(5000));
    return [1, 8, 16].map((count) => {
      file.setPanels(longPanels(count, character), { now: true });
      const written = JSON.parse(Deno.readTextFileSync(`${folder.path}/health`));
      const { panels, problems } = readHealth([folder.path]) ?? {};
      assertEquals([panels?.length, problems?.length], [count, PROBLEM_PARTS.length]);
      assertEquals(panels?.[0]?.panel.length, 300, "a name stays whole");
      return written.panels[0].error.text.length;
    });
  }, [["x", [300, 300, 100]], ["长", [300, 100, 20]], ["\u0001", [100, 20, 20]]]);
});
