import { assert, assertEquals } from "@std/assert";
import { HealthFile, type PanelHealth, PROBLEM_PARTS } from "../../lib/state/health_file.ts";
import { type Health, readHealth } from "../../lib/state/health_reader.ts";
import { same } from "../cases.ts";
import { ClosedFolder } from "../closed_folder.ts";
import { FakeTime } from "../fake_time.ts";
import { HeldLock } from "../held_lock.ts";
import { collectedLog } from "../log/collected_log.ts";
import { asRoot } from "../only_on.ts";
import { openBelow } from "../open_below.ts";
import { replaced } from "../replaced.ts";
import { testsWith } from "../tests_with.ts";
import { acceptAt } from "./accept_at.ts";
import { ABOUT, openHealth } from "./health_folder.ts";

/** What is read of an agent that runs, and of which nothing is known. */
const RUNNING = { isRunning: true, panels: [], problems: [] };
const modeOf = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;

/** A folder with runtime folders in it, of which the first is that of an agent. */
class Machine extends ClosedFolder {
  readonly folder = `${this.path}/run`;
  readonly file = `${this.folder}/health`;
  readonly lock = `${this.folder}/health.lock`;

  /** Leaves a file before an agent starts. */
  put(name: string, text = ""): void {
    Deno.mkdirSync(this.folder, { recursive: true });
    Deno.writeTextFileSync(`${this.folder}/${name}`, text);
  }

  open(...more: readonly string[]): HealthFile | undefined {
    return HealthFile.open([this.folder, ...more.map((name) => `${this.path}/${name}`)], ABOUT);
  }

  read(): Health | undefined {
    return readHealth([this.folder]);
  }

  written(): string {
    return Deno.readTextFileSync(this.file);
  }

  /** What `open()` says, without the time, and where it makes its file. */
  async said(...more: readonly string[]): Promise<[place: string | undefined, ...said: string[]]> {
    let file: HealthFile | undefined;
    const log = await collectedLog(() => Promise.resolve(void (file = this.open(...more))));
    file?.close();
    const place = file?.path.slice(this.path.length);
    return [place, ...log.map((line) => line.replace(/^\S+ warning agent: /, ""))];
  }
}

const onMachine = testsWith(() => new Machine());

onMachine.test("HealthFile tells of the last accepted report to all, and is gone when the agent ends", (machine) => {
  assertEquals(machine.read(), undefined);
  // Also over a longer record that an agent has left.
  machine.put("health", "x".repeat(20_000));
  const started = { ...ABOUT, stateFolder: "/s", configDigest: "00af" };
  const file = HealthFile.open(["/dev/null/run", machine.folder], started);
  assert(file !== undefined);
  const { startedAtMs, ...about } = readHealth(["/nowhere", machine.folder]) ?? {};
  const nothing = { intervalMs: 0, acceptedAtMs: undefined, seal: "" };
  assertEquals(about, { ...started, ...RUNNING, ...nothing, pid: Deno.pid });
  assert(startedAtMs !== undefined && startedAtMs <= Date.now());
  acceptAt(file, { intervalMs: 3000, atMs: 1234 });
  assertEquals([machine.read()?.acceptedAtMs, machine.read()?.intervalMs], [1234, 3000]);
  file.close();
  assertEquals(machine.read(), undefined);
  const next = machine.open();
  const { folder, lock } = machine;
  assertEquals([folder, machine.file, lock].map(modeOf), [0o755, 0o644, 0o600]);
  next?.close();
});

onMachine.test("HealthFile's lock can be held by nobody who may only read, who see the file's own", (machine) => {
  machine.put("health", "{}");
  const theirs = Deno.openSync(machine.file);
  assert(theirs.tryLockSync(true), "reading is enough for a lock");
  const file = machine.open();
  assertEquals(machine.read()?.isRunning, true, "an agent starts all the same");
  const killed = Deno.readFileSync(machine.file);
  file?.close();
  Deno.writeFileSync(machine.file, killed);
  using again = Deno.openSync(machine.file);
  assert(again.tryLockSync(true));
  assertEquals(machine.read()?.isRunning, false, "an agent that was killed");
  theirs.close();
  again.unlockSync();
  const next = machine.open();
  using ours = Deno.openSync(machine.file);
  assert(!ours.tryLockSync(false), "for users who may not open the other");
  next?.close();
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

onMachine.test("HealthFile.open() leaves a file to the agent that has it, at once, and takes no look at one for an agent", (machine) => {
  machine.put("health", "{}");
  const look = new HeldLock(machine.file, { shared: true });
  const first = whilePausing(() => look[Symbol.dispose](), () => machine.open());
  assertEquals(machine.read()?.isRunning, true);
  let pauses = 0;
  const open = () => HealthFile.open([machine.folder], { version: "2" });
  assertEquals([whilePausing(() => void pauses++, open), pauses], [undefined, 0]);
  assertEquals(machine.read()?.version, "1.2.3");
  first?.close();
});

onMachine.test("HealthFile.open() tries ten times, and gives up before a lock that somebody shares for ever", (machine) => {
  machine.put("health.lock");
  using theirs = Deno.openSync(machine.lock, { read: true, write: true });
  assert(theirs.tryLockSync(false));
  const pauses: unknown[] = [];
  // It lets go of the lock meanwhile.
  const look = (ms?: number) =>
    void pauses.push([ms, theirs.tryLockSync(true), theirs.tryLockSync(false)]);
  const file = whilePausing(look, () => machine.open("other"));
  assertEquals([file, pauses], [undefined, Array(9).fill([5, true, true])]);
  assertEquals(openBelow(machine.path), [machine.lock], "but for theirs nothing stays open");
});

onMachine.test("HealthFile.open() takes the next folder where the first can't be used, and says so if it is unsafe", async (machine) => {
  const { folder } = machine;
  Deno.mkdirSync(machine.lock, { recursive: true });
  assertEquals([await machine.said("own"), openBelow(folder)], [["/own/health"], []]);
  Deno.removeSync(machine.lock);
  for (const mode of [0o777, 0o775, 0o757]) {
    Deno.chmodSync(folder, mode);
    assertEquals([await machine.said(), modeOf(folder)], [["/run/health"], 0o755]);
  }
  // One that is shared on purpose is not closed to others.
  Deno.chmodSync(folder, 0o1777);
  const shared = `No health file: other users may write to ${folder}`;
  assertEquals(await machine.said("own"), ["/own/health", shared]);
  Deno.chmodSync(folder, 0o755);
  // Nothing is written where a link leads to.
  const theirs = `${machine.path}/theirs`;
  Deno.writeTextFileSync(theirs, "as it was");
  Deno.symlinkSync(theirs, machine.file);
  assertEquals((await machine.said())[0], undefined);
  assertEquals(Deno.readTextFileSync(theirs), "as it was");
  Deno.renameSync(folder, `${machine.path}/elsewhere`);
  Deno.symlinkSync("elsewhere", folder);
  assertEquals((await machine.said())[1], `No health file: ${folder} is no folder`);
});

asRoot.test("HealthFile.open() takes no folder of another user, nor a file that others have put into its own", async () => {
  using machine = new Machine();
  machine.put("health");
  for (const path of [machine.file, machine.folder]) {
    Deno.chownSync(path, 65534, 65534);
    const reason = `${path} belongs to another user`;
    assertEquals(await machine.said(), [
      ...[undefined, `No health file: ${reason}`],
      `\`health\` and \`status\` can't see this agent: ${reason}`,
    ]);
  }
});

onMachine.test("HealthFile keeps what does not work, since when, and forgets it when it works again", (machine) => {
  using time = new FakeTime({ now: 1000 });
  using file = openHealth(machine.folder, { ...ABOUT, secrets: ["t0ken"] });
  file.setProblem("ping", undefined);
  file.setProblem("state", "No space left for t0ken");
  file.setProblem("ping", "no socket");
  time.tick(1000);
  file.setProblem("ping", "no ping");
  assertEquals(machine.read()?.problems, [
    { part: "state", text: "No space left for …", sinceMs: 1000 },
    { part: "ping", text: "no ping", sinceMs: 1000 },
  ]);
  file.setProblem("state", undefined);
  assertEquals(machine.read()?.problems.map(({ part }) => part), ["ping"]);
  file.setSeal("sealed");
  assertEquals(machine.read()?.seal, "sealed");
});

const PANEL = { panel: "p", sinceMs: 1, failures: 1, probes: 0 };

onMachine.test("HealthFile writes no secret, also one that comes later, and cuts its texts after that", (machine) => {
  const secrets = ["t0ken-of-the-node"];
  using file = openHealth(machine.folder, { ...ABOUT, secrets });
  const shown = (panel: Partial<PanelHealth>): string => {
    file.setPanels([{ ...PANEL, ...panel }], { now: true });
    return machine.written();
  };
  const text = `redirected to /login/${secrets[0]}/${"x".repeat(300)}`;
  const written = shown({ error: { text, atMs: 4 } });
  assert(!written.includes("t0ken") && written.includes("/login/…/xxx"), written);
  const error = { text: "x".repeat(290) + "later-token", atMs: 4 };
  assert(shown({ error }).includes("later"));
  secrets.push("later-token");
  assert(!shown({ error }).includes("later"));
  assert(shown({ panel: `p.example/${secrets[0]}` }).includes('"p.example/…"'));
  const target = "https://user:pass@a.example/x→?key=1";
  assert(shown({ lostTargets: [{ kind: "http", target }] }).includes("https://…@a.example/x->?…"));
});

onMachine.test("HealthFile keeps sixteen panels, with the next report if not at once, whatever is in their texts", (machine) => {
  using file = openHealth(machine.folder);
  const counts = { acceptedAtMs: 2, transport: "v2 POST" };
  const error = (text: string) => ({ ...PANEL, ...counts, error: { text, atMs: 4 } });
  file.setPanels(Array(18).fill(error("坏了 \n\u202e\ud800")), { now: false });
  assertEquals(machine.read()?.panels, []);
  file.accepted(1000);
  assertEquals(machine.read()?.panels, Array(17).fill(error("坏了  \ud800")));
});

/** The longest record that an agent can have, whose texts have so many bytes a character. */
function longPanels(count: number, character: string): PanelHealth[] {
  const sinceMs = Date.UTC(2100, 0);
  const many = Number.MAX_SAFE_INTEGER;
  return Array.from({ length: count }, (_, at) => ({
    panel: `${at}.example/`.padEnd(300, "a"),
    transport: "v2 WebSocket",
    ...{ sinceMs, acceptedAtMs: sinceMs, failures: many, probes: many, shortConnections: many },
    ...{ lastMinute: many, lost: many, shortestMs: 14_999, longestMs: 14_999 },
    lostTargets: Array.from({ length: 10 }, () => ({ kind: "tcp", target: "t".repeat(2048) })),
    error: { text: character.repeat(5000), atMs: sinceMs },
  }));
}

onMachine.test("HealthFile cuts texts until all panels fit, and drops none, whatever they are written in", (machine) => {
  using file = openHealth(machine.folder);
  same((character) => {
    file.setSeal(character.repeat(5000));
    for (const part of PROBLEM_PARTS) file.setProblem(part, character.repeat(5000));
    return [1, 8, 16].map((count) => {
      file.setPanels(longPanels(count, character), { now: true });
      const { panels, problems } = machine.read() ?? {};
      const written = JSON.parse(machine.written());
      assertEquals([panels?.length, problems?.length], [count, PROBLEM_PARTS.length]);
      const whole = [panels?.[0]?.panel.length, written.seal.length];
      assertEquals(whole, [300, 300], "these stay whole");
      return written.panels[0].error.text.length;
    });
  }, [["x", [300, 300, 100]], ["长", [300, 100, 20]], ["\u0001", [100, 20, 20]]]);
});
