import { assert, assertEquals, assertMatch } from "@std/assert";
import { StateFile } from "../../lib/state/state_file.ts";
import { FolderLock } from "../../lib/state/state_lock.ts";
import { type PersistentState, StatePersister } from "../../lib/state/state_persister.ts";
import { setUpLog } from "../../lib/log/log.ts";
import { FakeTime } from "../fake_time.ts";
import { openBelow } from "../open_below.ts";
import { replaced } from "../replaced.ts";
import { inFolder } from "../temp_folder.ts";
import { testsWith } from "../tests_with.ts";

/** A number that is kept. */
class PersistentNumber implements PersistentState<number> {
  readonly name = "The number";
  value = 0;
  /** How often its text was asked for. */
  asked = 0;
  #generation = 0;

  generation(): number {
    return this.#generation;
  }

  adopt(found: number): void {
    this.value = found;
  }

  text(): string {
    this.asked++;
    return String(this.value);
  }

  set(value: number): void {
    this.value = value;
    this.#generation++;
  }
}

/** A persister under a fake clock, and all that it touches. */
class World implements AsyncDisposable {
  readonly time = new FakeTime();
  readonly parent = Deno.makeTempDirSync({ prefix: "state-keeper-" });
  readonly folder = `${this.parent}/state`;
  readonly number = new PersistentNumber();
  readonly log: string[] = [];
  /** What was said to be wrong last. */
  problem: string | undefined;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor() {
    setUpLog({ ...LOG, level: "info", write: (line) => this.log.push(line) });
  }

  async start(): Promise<void> {
    const setProblem = (_: string, text?: string) => void (this.problem = text);
    const persister = new StatePersister(fileIn(this.folder), this.number, { setProblem });
    await persister.open();
    this.#running = persister.run(this.#stop.signal);
  }

  /** Lets minutes pass until something is so. */
  async until(isSo: () => boolean): Promise<void> {
    for (let looks = 0; !isSo(); looks++) {
      assert(looks < 1_000, "it has come about");
      await this.time.pass(60_000, { stepMs: 60_000 });
    }
  }

  /** Does something while the folder can't be reached by its path. */
  async withoutPath(act: () => Promise<void>): Promise<void> {
    Deno.renameSync(this.folder, `${this.folder}.moved`);
    Deno.writeTextFileSync(this.folder, "no folder");
    await act();
    Deno.removeSync(this.folder);
    Deno.renameSync(`${this.folder}.moved`, this.folder);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  onDisk(): number | undefined {
    return fileIn(this.folder).read().value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    assertEquals(openBelow(this.parent), [], "nothing stays open");
    this.time[Symbol.dispose]();
    setUpLog({ ...LOG, level: "error", write: () => {} });
    Deno.removeSync(this.parent, { recursive: true });
  }
}

const LOG = { format: "text", secrets: [], forJournal: true } as const;

function parseNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new SyntaxError("no number");
  return Number(text);
}

function fileIn(folder: string): StateFile<number> {
  return new StateFile(folder, { name: "n", parse: parseNumber });
}

/** Leaves a state as an agent that ran before does. */
async function leave(folder: string, number: number): Promise<void> {
  using file = fileIn(folder);
  await file.open();
  await file.write(String(number));
}

/** A persister that writes when it is asked to. */
async function opened(folder: string, number: PersistentNumber, file = fileIn(folder)) {
  const persister = new StatePersister(file, number);
  await persister.open();
  return persister;
}

const withWorld = testsWith(() => new World());

withWorld.test("StatePersister goes on from what is there, writes what is new, and once more at the end", async (world) => {
  await leave(world.folder, 41);
  await world.start();
  assertEquals(world.number.value, 41);
  world.number.set(42);
  await world.until(() => world.onDisk() === 42);
  world.number.set(43);
  await world.stop();
  assertEquals(world.onDisk(), 43);
  assertEquals(world.log, []);
});

withWorld.test("StatePersister writes nothing while there is nothing new", async (world) => {
  await world.start();
  await world.until(() => world.number.asked >= 3);
  await world.stop();
  assertEquals(world.onDisk(), undefined);
});

withWorld.test("StatePersister goes on after a look at the state that failed", async (world) => {
  await world.start();
  const { number } = world;
  number.text = () => {
    throw new Error("no look at it");
  };
  await world.until(() => world.problem === "no look at it");
  number.text = () => "8";
  number.set(8);
  await world.until(() => world.problem === undefined);
  assertEquals(world.onDisk(), 8);
});

withWorld.test("StatePersister.open() opens everything that is needed to write later", async (world) => {
  await leave(world.folder, 1);
  await world.start();
  await world.withoutPath(async () => {
    world.number.set(2);
    await world.stop();
  });
  assertEquals(world.onDisk(), 2);
});

withWorld.test("StatePersister.open() opens what it needs to take a folder over later", async (world) => {
  await leave(world.folder, 5);
  using other = FolderLock.open(world.folder);
  assert(other.tryLock());
  await world.start();
  await world.withoutPath(async () => {
    other.unlock();
    world.number.set(6);
    await world.until(() => world.number.value === 5);
    world.number.set(7);
    await world.stop();
  });
  assertEquals(world.onDisk(), 7);
});

withWorld.test("StatePersister says once that it can't open its file, and goes on", async (world) => {
  Deno.writeTextFileSync(world.folder, "a file where the folder should be");
  await world.start();
  for (const value of [1, 2, 3]) {
    world.number.set(value);
    await world.time.pass(60_000, { stepMs: 60_000 });
  }
  await world.stop();
  assertMatch(world.problem ?? "", /restart the agent/);
  assertEquals(world.log.length, 1, world.log.join("\n"));
  assertMatch(
    world.log[0] ?? "",
    /^<4>agent: The number can't be kept: .*; restart the agent.* \u2192 move away what is there/,
  );
});

withWorld.test("StatePersister tries again after a write that failed, and says when it goes well", async (world) => {
  await world.start();
  {
    const syncData = () => Promise.reject(new Error("No space left"));
    using _full = replaced(Deno.FsFile.prototype, { syncData });
    world.number.set(1);
    await world.until(() => world.number.asked >= 3);
    assertMatch(world.problem ?? "", /Cannot write .*No space left/);
  }
  await world.until(() => world.problem === undefined);
  assertEquals(world.log.length, 2, world.log.join("\n"));
  assertEquals(world.log[1], `<6>agent: The number is kept in ${world.folder} again`);
});

withWorld.test("StatePersister leaves another's folder alone, and takes it over with what lies there", async (world) => {
  await leave(world.folder, 5);
  using other = FolderLock.open(world.folder);
  assert(other.tryLock());
  await world.start();
  assertEquals(world.number.value, 5, "it counts along");
  world.number.set(6);
  await world.until(() => world.log.length >= 1);
  assertMatch(
    world.log[0] ?? "",
    /another agent uses .* \u2192 give each agent a --state-dir of its own/,
  );
  assertEquals(world.onDisk(), 5);
  await leave(world.folder, 8);
  other.unlock();
  await world.until(() => world.number.value === 8);
  world.number.set(9);
  await world.stop();
  assertEquals(world.onDisk(), 9);
});

withWorld.test("StatePersister leaves the folder to others where it can't open its file", async (world) => {
  Deno.mkdirSync(`${world.folder}/n.state`, { recursive: true });
  await world.start();
  using other = FolderLock.open(world.folder);
  assert(other.tryLock());
  assertMatch(world.problem ?? "", /^Cannot use \S+n\.state: [^/]*restart the agent/);
});

withWorld.test("StatePersister warns of a damaged state", async (world) => {
  Deno.mkdirSync(world.folder);
  Deno.writeTextFileSync(`${world.folder}/n.state`, "x");
  await world.start();
  assertEquals(world.log.length, 1);
  assertMatch(world.log[0] ?? "", /^<4>agent: The number: .*n\.state is damaged; it starts anew/);
});

withWorld.test("StatePersister says that its file was deleted, since it can't make another", async (world) => {
  await world.start();
  world.number.set(1);
  await world.until(() => world.onDisk() === 1);
  Deno.removeSync(world.folder, { recursive: true });
  world.number.set(2);
  await world.until(() => world.log.length >= 1);
  const shown = world.log[0] ?? "";
  assertMatch(
    shown,
    /can't be kept: .*n\.state was deleted; it is counted in memory only \u2192 make /,
  );
});

/** A disk that hangs: a write to it never ends. */
class HangingFile extends StateFile<number> {
  readonly writing = Promise.withResolvers<void>();

  override write(): Promise<void> {
    this.writing.resolve();
    return new Promise(() => {});
  }
}

inFolder.test("StatePersister.run() ends within 400 ms although a write hangs", async (folder) => {
  using time = new FakeTime();
  const file = new HangingFile(folder.path, { name: "n", parse: parseNumber });
  const number = new PersistentNumber();
  const persister = await opened(folder.path, number, file);
  number.set(1);
  const stop = new AbortController();
  const running = persister.run(stop.signal);
  await time.run(1_000);
  await file.writing.promise;
  stop.abort();
  assertEquals(await time.until(running, { withinMs: 60_000 }), 400);
});

withWorld.test("StatePersister.run() writes a second after the start, and then each minute", async (world) => {
  await world.start();
  const asked: number[] = [];
  for (const ms of [999, 1, 59_999, 1, 59_999, 1]) {
    await world.time.run(ms);
    asked.push(world.number.asked);
  }
  assertEquals(asked, [0, 1, 1, 2, 2, 3]);
});

inFolder.test("StatePersister writes nothing more once it has left the folder to others", async (folder) => {
  const number = new PersistentNumber();
  const persister = await opened(folder.path, number);
  assertEquals(persister.isOwner, true);
  number.set(1);
  await persister.run(AbortSignal.abort());
  using other = FolderLock.open(folder.path);
  assertEquals([persister.isOwner, other.tryLock()], [false, true]);
  number.set(2);
  await persister.flush();
  assertEquals(fileIn(folder.path).read().value, 1);
});

inFolder.test("StatePersister.flush() writes what is new since its own look at the state", async (folder) => {
  const number = new class extends PersistentNumber {
    /** Brought up to date, as a month's traffic is. */
    override text(): string {
      this.set(this.value + 1);
      return super.text();
    }
  }();
  const persister = await opened(folder.path, number);
  for (const expected of [1, 2]) {
    await persister.flush();
    assertEquals(fileIn(folder.path).read().value, expected);
  }
  await persister.run(AbortSignal.abort());
});

/** A file that keeps count of its writes, each of which takes a while. */
class CountingFile extends StateFile<number> {
  writes = 0;
  atOnce = 0;
  mostAtOnce = 0;

  override async write(text: string): Promise<void> {
    this.writes++;
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    await Promise.resolve();
    await super.write(text);
    this.atOnce--;
  }
}

inFolder.test("StatePersister.flush() writes what is new at once, one write after the other, and says why it can't", async (folder) => {
  const path = `${folder.path}/state`;
  const file = new CountingFile(path, { name: "n", parse: parseNumber });
  const number = new PersistentNumber();
  const persister = await opened(path, number, file);
  number.set(1);
  const first = persister.flush();
  // The first has taken its text by then.
  await Promise.resolve();
  await Promise.resolve();
  number.set(2);
  assertEquals(await Promise.all([first, persister.flush()]), ["", ""]);
  await persister.flush();
  assertEquals([file.read().value, file.writes, file.mostAtOnce], [2, 2, 1]);
  Deno.removeSync(path, { recursive: true });
  number.set(8);
  assertMatch(await persister.flush(), /n\.state was deleted/);
  await persister.run(AbortSignal.abort());
});
