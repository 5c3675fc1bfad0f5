import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { statusJson, statusText } from "../../lib/cli/status.ts";
import { isReporting, readHealth, reportingPanels } from "../../lib/state/health_reader.ts";
import { FakeTime } from "../fake_time.ts";
import { replaced } from "../replaced.ts";
import { same } from "../cases.ts";
import { ClosedFolder, inClosedFolder } from "../closed_folder.ts";
import { healthOf } from "../doctor/seen_health.ts";
import { HeldLock } from "../held_lock.ts";
import { testsWith } from "../tests_with.ts";
import { ABOUT, openHealth } from "./health_folder.ts";
import { asRoot } from "../only_on.ts";

const NOW_MS = 1_000_000_000;

/** Leaves a file as an agent writes it, but for what is said. */
function write(folder: string, fields: object = {}): void {
  const record = { pid: 1, intervalMs: 1, ...ABOUT, ...fields };
  Deno.writeTextFileSync(`${folder}/health`, JSON.stringify(record));
}

/** An agent whose panels have last accepted a report so long ago. */
function agent(intervalMs: number, ...agoMs: readonly (number | undefined)[]) {
  const panels = agoMs.map((ago, at) => {
    const acceptedAtMs = ago === undefined ? undefined : NOW_MS - ago;
    return { panel: `${at}`, intervalMs, acceptedAtMs, sinceMs: 0, failures: 0, probes: 0 };
  });
  return healthOf({ intervalMs, acceptedAtMs: panels[0]?.acceptedAtMs, panels });
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

/** A folder of an agent's, and the folder that it is in. */
class Runtime extends ClosedFolder {
  readonly folder = `${this.path}/komari-agent-deno`;
  readonly file = `${this.folder}/health`;
  readonly lock = `${this.folder}/health.lock`;

  constructor() {
    super();
    Deno.mkdirSync(this.folder, { mode: 0o755 });
  }

  /** Its version, whether it runs, or neither. */
  read(): [version?: string, isRunning?: boolean] {
    const health = readHealth([this.folder]);
    return health ? [health.version, health.isRunning] : [];
  }

  isRunning(): boolean | undefined {
    return this.read()[1];
  }

  give(owner: number, ...paths: readonly string[]): void {
    for (const path of paths) Deno.chownSync(path, owner, owner);
  }
}

const inRuntime = testsWith(() => new Runtime());

inRuntime.test("readHealth() goes by the lock of the file where there is no private one, and by no look at it", (at) => {
  write(at.folder);
  assertEquals(at.isRunning(), false, "an agent that was killed");
  {
    using _file = new HeldLock(at.file, { shared: true });
    using _lock = new HeldLock(at.lock, { shared: true, mode: 0o600 });
    assertEquals(at.isRunning(), false);
    Deno.removeSync(at.lock);
  }
  {
    using _agents = new HeldLock(at.file);
    assertEquals(at.isRunning(), true);
  }
  using _open = new HeldLock(at.lock);
  for (const mode of [0o644, 0o604, 0o640, 0o620, 0o610]) {
    Deno.chmodSync(at.lock, mode);
    assertEquals(at.isRunning(), false, "others could hold that one as well");
  }
  Deno.chmodSync(at.lock, 0o600);
  assertEquals(at.isRunning(), true);
});

asRoot.test("readHealth() believes another user only where root alone could have let them write, and itself and root anywhere", () => {
  using at = new Runtime();
  using _agent = openHealth(at.folder);
  at.give(65534, at.file);
  assertEquals(at.read(), [], "not the folder's owner's");
  at.give(65534, at.folder);
  assertEquals(at.read()[0], "1.2.3", "a service's, as below /run");
  for (const mode of [0o1777, 0o775]) {
    Deno.chmodSync(at.path, mode);
    assertEquals(at.read(), [], "as below /dev/shm");
  }
  using _nobody = replaced(Deno, { uid: () => 65534 });
  // Whose lock it is nobody knows, and so the file's counts.
  assertEquals(at.read(), ["1.2.3", true], "its own");
  at.give(0, at.folder, at.file);
  assertEquals(at.read()[0], "1.2.3", "root's");
});

asRoot.test("readHealth() believes root alone below another user's folder, and no private lock of another user", () => {
  using at = new Runtime();
  write(at.folder);
  using _lock = new HeldLock(at.lock, { mode: 0o600 });
  assertEquals(at.isRunning(), true);
  at.give(65534, at.lock);
  assertEquals(at.isRunning(), false);
  at.give(65534, at.path);
  assertEquals(at.read()[0], "1.2.3");
  at.give(65534, at.folder, at.file);
  assertEquals(at.read(), [], "as below /run/user");
});

inRuntime.test("readHealth() gives texts that act on no terminal", (at) => {
  write(at.folder, {
    version: "1\x1b[2J\n2",
    seal: "sealed\x1b]0;x\x07\u202e by nobody\nService  running",
    panels: [{ panel: "p\x1b[1m", sinceMs: 1, error: { text: "no\x1b[3m", atMs: 1 } }],
    problems: [{ part: "ping", text: "no\x1b[4m", sinceMs: 1 }],
  });
  const { version, seal, panels: [panel] = [], problems } = readHealth([at.folder]) ?? {};
  assertEquals([version, seal], ["1 [2J 2", "sealed ]0;x  by nobody Service  running"]);
  const texts = [panel?.panel, panel?.error?.text, problems?.[0]?.text];
  assertEquals(texts, ["p [1m", "no [3m", "no [4m"]);
});

inRuntime.test("readHealth() follows no link, waits for no pipe, and takes nothing that no agent has written", async (at) => {
  write(at.path);
  Deno.symlinkSync("../health", at.file);
  assertEquals(at.read(), []);
  Deno.removeSync(at.file);
  await new Deno.Command("mkfifo", { args: [at.file] }).output();
  assertEquals(at.read(), []);
  Deno.removeSync(at.file);
  for (const text of ["", "{", "null", "[]", '{"pid":"1"}', "1", `"${"x".repeat(2000)}"`]) {
    Deno.writeTextFileSync(at.file, text);
    assertEquals(at.read(), [], text);
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
  const problem = { part: "metrics", text: "no", sinceMs: 1 } as const;
  assertEquals(read({ problems: [problem] })?.problems, [problem]);
  const unknown = [{ ...problem, part: "x" }, { ...problem, text: 1 }, { part: "ping", text: "" }];
  assertEquals(read({ problems: unknown, panels: 1 })?.problems, []);
  for (const lost of [{ panel: "p" }, { sinceMs: 1 }, { ...panel, sinceMs: 1e300 }, 1, null]) {
    assertEquals(read({ panels: [lost, panel] })?.panels.length, 1);
  }
  const wrong = [
    ...[{ isStopped: true }, { pid: "1" }, { version: 1 }, { intervalMs: "1" }],
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
    const unknown = { memoryBytes: undefined, service: undefined, isPaused: false };
    const found = { status: "skipped", text: "", advice: [] } as const;
    const status = { health, ...unknown, found, nowMs: 0 };
    // deno-lint-ignore no-control-regex
    assert(!/[\x00-\x09\x0b-\x1f\u202e]/.test(statusText(status)));
    JSON.parse(statusJson(status));
  }));
});
