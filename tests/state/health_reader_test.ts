import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { statusJson, statusText } from "../../lib/cli/status.ts";
import { type Health, isReporting, readHealth } from "../../lib/state/health_reader.ts";
import { reportingPanels } from "../../lib/state/health_reader.ts";
import { FakeTime } from "../fake_time.ts";
import { replaced } from "../replaced.ts";
import { same } from "../cases.ts";
import { restoring } from "../restoring.ts";
import { ClosedFolder, inClosedFolder } from "../closed_folder.ts";
import { HeldLock } from "../held_lock.ts";
import { inFolder } from "../temp_folder.ts";
import { ABOUT, openHealth } from "./health_folder.ts";
import { asRoot } from "../only_on.ts";

const NOW_MS = 1_000_000_000;

/** Leaves a file as an agent writes it, but for what is said. */
function write(folder: string, fields: object = {}): void {
  const record = { pid: 1, intervalMs: 1, ...ABOUT, ...fields };
  Deno.writeTextFileSync(`${folder}/health`, JSON.stringify(record));
}

/** An agent whose two panels have last accepted a report so long ago. */
function agent(intervalMs: number, ...agoMs: (number | undefined)[]): Health {
  const acceptedAtMs = agoMs.map((ago) => ago === undefined ? undefined : NOW_MS - ago);
  const panel = { intervalMs, sinceMs: 0, failures: 0, probes: 0 };
  return {
    ...{ pid: 1, version: "1.2.3", intervalMs, startedAtMs: NOW_MS, problems: [], seal: "" },
    acceptedAtMs: acceptedAtMs[0],
    panels: acceptedAtMs.map((acceptedAtMs, at) => ({ ...panel, panel: `${at}`, acceptedAtMs })),
    isRunning: true,
  };
}

Deno.test("isReporting() and reportingPanels() look back two intervals and 15 s, and know of nothing where no agent runs", () => {
  using _ = new FakeTime({ now: NOW_MS });
  same(([intervalMs, agoMs]) => {
    const health = agent(intervalMs, agoMs, 0);
    return [isReporting(health), ...reportingPanels(health)];
  }, [
    [[1000, undefined], [false, "1"]],
    [[1000, 0], [true, "0", "1"]],
    [[1000, 17_000], [true, "0", "1"]],
    [[1000, 17_001], [false, "1"]],
    [[1000, -17_000], [true, "0", "1"]],
    [[1000, -17_001], [false, "1"]],
    [[20_000, 55_000], [true, "0", "1"]],
    [[20_000, 55_001], [false, "1"]],
  ] as [[number, number | undefined], unknown][]);
  for (const health of [undefined, { ...agent(1000, 0), isRunning: false }]) {
    assertEquals([isReporting(health), reportingPanels(health)], [false, new Set()]);
  }
});

Deno.test("reportingPanels() looks at each panel's own interval", () => {
  using _ = new FakeTime({ now: NOW_MS });
  const { panels, ...rest } = agent(1_000, 40_000, 40_000);
  const both = panels.map((it, index) => ({ ...it, intervalMs: [1_000, 30_000][index] ?? 0 }));
  assertEquals(reportingPanels({ ...rest, panels: both }), new Set(["1"]));
});

inClosedFolder.test("readHealth() goes by the lock of the file where there is no private one", (folder) => {
  write(folder.path);
  {
    using _agents = new HeldLock(`${folder.path}/health`);
    assertEquals(readHealth([folder.path])?.isRunning, true);
  }
  using _open = new HeldLock(`${folder.path}/health.lock`);
  for (const mode of [0o644, 0o604, 0o640, 0o620, 0o610]) {
    Deno.chmodSync(`${folder.path}/health.lock`, mode);
    assertEquals(readHealth([folder.path])?.isRunning, false, "others could hold that one as well");
  }
  Deno.chmodSync(`${folder.path}/health.lock`, 0o600);
  assertEquals(readHealth([folder.path])?.isRunning, true);
});

asRoot.test("readHealth() takes no file that is not the folder's owner's", () => {
  using parent = new ClosedFolder();
  const folder = `${parent.path}/run`;
  using _agent = openHealth(folder);
  assertEquals(readHealth([folder])?.isRunning, true);
  Deno.chownSync(`${folder}/health`, 65534, 65534);
  assertEquals(readHealth([folder]), undefined);
});

asRoot.test("readHealth() believes another user only where root alone could have let them write", () => {
  using parent = new ClosedFolder();
  const folder = `${parent.path}/komari-agent-deno`;
  using _agent = openHealth(folder);
  for (const path of [folder, `${folder}/health`]) Deno.chownSync(path, 65534, 65534);
  assertEquals(readHealth([folder])?.version, "1.2.3", "a service's, as below /run");
  for (const mode of [0o1777, 0o775]) {
    Deno.chmodSync(parent.path, mode);
    assertEquals(readHealth([folder]), undefined, "as below /dev/shm");
  }
  Deno.chmodSync(parent.path, 0o755);
  Deno.chownSync(parent.path, 65534, 65534);
  assertEquals(readHealth([folder]), undefined, "as below /run/user");
  for (const path of [folder, `${folder}/health`]) Deno.chownSync(path, 0, 0);
  assertEquals(readHealth([folder])?.version, "1.2.3", "root's own");
});

asRoot.test("readHealth() believes its own user's agent and root's, wherever they are", () => {
  using parent = new ClosedFolder();
  const folder = `${parent.path}/run`;
  using _agent = openHealth(folder);
  Deno.chmodSync(parent.path, 0o1777);
  {
    using _nobody = replaced(Deno, { uid: () => 65534 });
    assertEquals(readHealth([folder])?.version, "1.2.3", "root's");
    for (const path of [folder, `${folder}/health`]) Deno.chownSync(path, 65534, 65534);
    assertEquals(readHealth([folder])?.version, "1.2.3", "its own");
    // Whose lock it is nobody knows, and so the file's counts.
    assertEquals(readHealth([folder])?.isRunning, true);
  }
});

asRoot.test("readHealth() takes no private lock that is another user's", () => {
  using folder = new ClosedFolder();
  write(folder.path);
  const path = `${folder.path}/health.lock`;
  using _lock = new HeldLock(path, { mode: 0o600 });
  assertEquals(readHealth([folder.path])?.isRunning, true);
  Deno.chownSync(path, 65534, 65534);
  assertEquals(readHealth([folder.path])?.isRunning, false);
});

inClosedFolder.test("readHealth() gives texts that act on no terminal", (folder) => {
  write(folder.path, {
    version: "1\x1b[2J\n2",
    seal: "sealed\x1b]0;x\x07\u202e by nobody\nService  running",
    panels: [{
      ...{ panel: "p\x1b[1m", transport: "v2\x1b[2m", sinceMs: 1 },
      error: { text: "no\x1b[3m", atMs: 1 },
    }],
    problems: [{ part: "ping", text: "no\x1b[4m", sinceMs: 1 }],
  });
  const { version, seal, panels, problems } = readHealth([folder.path]) ?? {};
  assertEquals([version, seal], ["1 [2J 2", "sealed ]0;x  by nobody Service  running"]);
  const [panel] = panels ?? [];
  assertEquals([panel?.panel, panel?.transport, panel?.error?.text], ["p [1m", "v2 [2m", "no [3m"]);
  assertEquals(problems?.[0]?.text, "no [4m");
});

inClosedFolder.test("readHealth() says of an agent that was killed that it does not run", (folder) => {
  write(folder.path);
  assertEquals(readHealth([folder.path])?.isRunning, false);
  // Nor because others look at it just now.
  using _file = new HeldLock(`${folder.path}/health`, { shared: true });
  using _lock = new HeldLock(`${folder.path}/health.lock`, { shared: true, mode: 0o600 });
  assertEquals(readHealth([folder.path])?.isRunning, false);
});

inFolder.test("readHealth() keeps no lock by a handle of which a child has a copy", (folder) => {
  write(folder.path);
  Deno.writeTextFileSync(`${folder.path}/health.lock`, "", { mode: 0o644 });
  for (const mode of [0o644, 0o600]) {
    Deno.chmodSync(`${folder.path}/health.lock`, mode);
    using _dispose = restoring(Deno.FsFile.prototype, Symbol.dispose);
    Deno.FsFile.prototype[Symbol.dispose] = () => {};
    assertEquals(readHealth([folder.path])?.isRunning, false);
  }
  for (const name of ["health", "health.lock"]) {
    using _lock = new HeldLock(`${folder.path}/${name}`);
  }
});

inClosedFolder.test("readHealth() takes the agent that runs, whatever one that was killed has left before it", (parent) => {
  const [first, second, third] = [`${parent.path}/1`, `${parent.path}/2`, `${parent.path}/3`];
  for (const [folder, version] of [[first, "killed"], [second, "killed later"]] as const) {
    Deno.mkdirSync(folder);
    write(folder, { version });
  }
  const found = () => {
    const health = readHealth([first, second, third]);
    return [health?.version, health?.isRunning];
  };
  assertEquals(found(), ["killed", false]);
  using _agent = openHealth(third);
  assertEquals(found(), ["1.2.3", true]);
});

inClosedFolder.test("readHealth() follows no link, and waits for no pipe", async (folder) => {
  write(folder.path);
  Deno.renameSync(`${folder.path}/health`, `${folder.path}/elsewhere`);
  Deno.symlinkSync("elsewhere", `${folder.path}/health`);
  assertEquals(readHealth([folder.path]), undefined);
  Deno.removeSync(`${folder.path}/health`);
  await new Deno.Command("mkfifo", { args: [`${folder.path}/health`] }).output();
  assertEquals(readHealth([folder.path]), undefined);
});

inClosedFolder.test("readHealth() takes nothing that no agent has written", (folder) => {
  for (const text of ["", "{", "null", "[]", '{"pid":"1"}', "1", `"${"x".repeat(2000)}"`]) {
    Deno.writeTextFileSync(`${folder.path}/health`, text);
    assertEquals(readHealth([folder.path]), undefined, text);
  }
});

inClosedFolder.test("readHealth() takes what each part of a record is, and nothing else", (folder) => {
  const panel = { panel: "p", sinceMs: 1 };
  const good = { seal: "", panels: [panel] };
  const read = (changes: object) => {
    write(folder.path, { ...good, ...changes });
    return readHealth([folder.path]);
  };
  const none = { failures: 0, probes: 0 };
  assertEquals(read({})?.panels, [{ ...panel, ...none }]);
  const counts = { failures: 1, probes: 2, lastMinute: 3, lost: 4 };
  const more = { shortConnections: 5, shortestMs: 1, longestMs: 2 };
  const times = { acceptedAtMs: 6, intervalMs: 8 };
  const all = { ...panel, ...counts, ...more, ...times, transport: "v2 POST" };
  const lostTarget = { kind: "tcp", target: "a" } as const;
  const rest = { lostTargets: [lostTarget], error: { text: "no", action: "do", atMs: 7 } };
  assertEquals(read({ panels: [{ ...all, ...rest }] })?.panels, [{ ...all, ...rest }]);
  const odd = { transport: 1, failures: "1", error: { text: "no" }, lostTargets: [{ kind: "x" }] };
  assertEquals(read({ panels: [{ ...panel, ...odd, x: 1 }] })?.panels, [{ ...panel, ...none }]);
  const problem = { part: "metrics", text: "no", sinceMs: 1 };
  const parts = ["registration", "state", "ping", "metrics", "gpu", "authorities"];
  const found = read({ problems: parts.map((part) => ({ ...problem, part })) })?.problems;
  assertEquals(found?.map(({ part, text }) => [part, text]), parts.map((part) => [part, "no"]));
  const unknown = [{ ...problem, part: "x" }, { ...problem, text: 1 }, { part: "ping", text: "" }];
  assertEquals(read({ problems: unknown, panels: 1 })?.problems, []);
  assertEquals(read({ problems: "x", startedAtMs: "1" })?.startedAtMs, undefined);
  for (const lost of [{ panel: "p" }, { sinceMs: 1 }, { ...panel, sinceMs: 1e300 }, 1, null]) {
    assertEquals(read({ panels: [lost, panel] })?.panels.length, 1);
  }
  assertEquals(read({ acceptedAtMs: "1" })?.acceptedAtMs, undefined);
  const wrong = [
    ...[{ isStopped: true }, { pid: "1" }, { version: 1 }, { intervalMs: "1" }, { seal: 1 }],
    ...[{ pid: undefined }, { seal: "x".repeat(16 * 1024) }],
  ];
  for (const changes of wrong) assertEquals(read(changes), undefined, JSON.stringify(changes));
});

/** A value of any kind, in place of any part of a record. */
const ANYTHING = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(1e300, -1e300, -0, 8.64e15 + 1, "\x1b[2J", "\u202e", {}, [], [[]], null),
);

function recordOf(fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<object> {
  return fc.record(fields, { requiredKeys: [] });
}

Deno.test("readHealth() gives what `status` can show, whatever an agent has written", () => {
  const number = fc.oneof(fc.nat(), ANYTHING);
  const text = fc.oneof(fc.string(), ANYTHING);
  const panel = recordOf({
    ...{ panel: text, transport: text, sinceMs: number, acceptedAtMs: number, failures: number },
    ...{ probes: number, lastMinute: number, lost: number, shortConnections: number },
    ...{ shortestMs: number, longestMs: number },
    lostTargets: fc.oneof(fc.array(recordOf({ kind: text, target: text })), ANYTHING),
    error: fc.oneof(recordOf({ text, atMs: number }), ANYTHING),
  });
  const problem = recordOf({ part: fc.constantFrom("ping", "state", "x"), text, sinceMs: number });
  const list = (item: fc.Arbitrary<object>) =>
    fc.oneof(fc.array(fc.oneof(item, ANYTHING)), ANYTHING);
  using folder = new ClosedFolder();
  const agent = recordOf({
    startedAtMs: number,
    acceptedAtMs: number,
    panels: list(panel),
    problems: list(problem),
  });
  fc.assert(fc.property(agent, (fields) => {
    write(folder.path, { seal: "", ...fields });
    const health = readHealth([folder.path]);
    assert(health !== undefined);
    const status = {
      health,
      memoryBytes: undefined,
      isPaused: false,
      service: undefined,
      found: { status: "skipped", text: "", advice: [] } as const,
      nowMs: 0,
    };
    // deno-lint-ignore no-control-regex
    assert(!/[\x00-\x09\x0b-\x1f\u202e]/.test(statusText(status)));
    JSON.parse(statusJson(status));
  }));
});
