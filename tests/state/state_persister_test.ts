import { assert, assertEquals, assertMatch } from "@std/assert";
import { setUpLog } from "../../lib/log/log.ts";
import { StateFile } from "../../lib/state/state_file.ts";
import { type PersistentState, StatePersister } from "../../lib/state/state_persister.ts";
import { ClosedFolder } from "../closed_folder.ts";
import { FakeTime } from "../fake_time.ts";
import { HeldLock } from "../held_lock.ts";
import { replaced } from "../replaced.ts";
import { testsWith } from "../tests_with.ts";
import { numberFile } from "./number_file.ts";

/** A number that is kept. */
class PersistentNumber implements PersistentState<number> {
  readonly name = "The number";
  value = 0;
  /** How often its text was asked for. */
  asked = 0;
  #generation = 0;

  generation = () => this.#generation;
  adopt = (found: number) => void (this.value = found);

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
  readonly #parent = new ClosedFolder();
  readonly folder = `${this.#parent.path}/state`;
  number = new PersistentNumber();
  readonly log: string[] = [];
  readonly file = numberFile(this.folder);
  /** What was said to be wrong last. */
  problem: string | undefined;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor() {
    setUpLog({ ...LOG, level: "info", write: (line) => this.log.push(line) });
  }

  /** A persister that writes when it is asked to, and before the end of the test. */
  async open(): Promise<StatePersister<number>> {
    const setProblem = (_: string, text?: string) => void (this.problem = text);
    const persister = new StatePersister(this.file, this.number, { setProblem });
    await persister.open();
    return persister;
  }

  async start(): Promise<void> {
    this.run(await this.open());
  }

  run(persister: StatePersister<number>): void {
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

  stop(): Promise<void> | undefined {
    this.#stop.abort();
    return this.#running;
  }

  onDisk(): number | undefined {
    return numberFile(this.folder).read().value;
  }

  /** Leaves a state as an agent that ran before does. */
  async leave(number: number): Promise<void> {
    using file = numberFile(this.folder);
    await file.open();
    await file.write(String(number));
  }

  /** Another agent, which has the folder. */
  other = () => new HeldLock(`${this.folder}/lock`, { mode: 0o600 });

  /** The only line that was logged. */
  line(): string {
    assertEquals(this.log.length, 1, this.log.join("\n"));
    return this.log[0] ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _parent = this.#parent;
    using _time = this.time;
    await this.stop();
    setUpLog({ ...LOG, level: "error", write: () => {} });
  }
}

const LOG = { format: "text", secrets: [], forJournal: true } as const;
const withWorld = testsWith(() => new World());

withWorld.test("StatePersister goes on from what is there, writes what is new, and once more at the end, by no path", async (world) => {
  await world.leave(41);
  await world.start();
  assertEquals(world.number.value, 41);
  world.number.set(42);
  await world.until(() => world.onDisk() === 42);
  await world.withoutPath(async () => {
    world.number.set(43);
    await world.stop();
  });
  assertEquals([world.onDisk(), world.log], [43, []]);
});

withWorld.test("StatePersister.run() looks a second after the start, and then each minute, and writes nothing that is not new", async (world) => {
  await world.start();
  const asked: number[] = [];
  for (const ms of [999, 1, 59_999, 1, 59_999, 1]) {
    await world.time.run(ms);
    asked.push(world.number.asked);
  }
  await world.stop();
  assertEquals([asked, world.onDisk()], [[0, 1, 1, 2, 2, 3], undefined]);
});

withWorld.test("StatePersister goes on after a look at the state, or a write, that failed, and says when it goes well", async (world) => {
  await world.start();
  const { number } = world;
  number.text = () => {
    throw new Error("no look at it");
  };
  await world.until(() => world.problem === "no look at it");
  number.text = () => "8";
  const syncData = () => Promise.reject(new Error("No space left"));
  {
    using _full = replaced(Deno.FsFile.prototype, { syncData });
    number.set(8);
    await world.until(() => /Cannot write .*No space left/.test(world.problem ?? ""));
  }
  await world.until(() => world.problem === undefined);
  assertEquals([world.onDisk(), world.log.length], [8, 3]);
  assertEquals(world.log[2], `<6>agent: The number is kept in ${world.folder} again`);
});

withWorld.test("StatePersister says once that it can't open its file, goes on, and leaves the folder to others", async (world) => {
  Deno.mkdirSync(`${world.folder}/n.state`, { recursive: true });
  await world.start();
  using _other = world.other();
  for (const value of [1, 2, 3]) {
    world.number.set(value);
    await world.time.pass(60_000, { stepMs: 60_000 });
  }
  assertMatch(world.problem ?? "", /^Cannot use \S+n\.state: [^/]*restart the agent/);
  const said = /^<4>agent: The number can't be kept: .*; restart the agent.* \u2192 /;
  assertMatch(world.line(), said);
});

withWorld.test("StatePersister leaves another's folder alone, and takes it over with what lies there, by no path", async (world) => {
  await world.leave(5);
  const other = world.other();
  await world.start();
  assertEquals(world.number.value, 5, "it counts along");
  world.number.set(6);
  await world.until(() => world.log.length >= 1);
  const said = /another agent uses .* \u2192 give each agent a --state-dir of its own/;
  assertMatch(world.line(), said);
  assertEquals(world.onDisk(), 5);
  await world.leave(8);
  await world.withoutPath(async () => {
    other[Symbol.dispose]();
    await world.until(() => world.number.value === 8);
    world.number.set(9);
    await world.stop();
  });
  assertEquals(world.onDisk(), 9);
});

withWorld.test("StatePersister warns of a damaged state, and of a file that was deleted, since it can't make another", async (world) => {
  Deno.mkdirSync(world.folder);
  Deno.writeTextFileSync(`${world.folder}/n.state`, "x");
  await world.start();
  assertMatch(world.line(), /^<4>agent: The number: .*n\.state is damaged; it starts anew/);
  world.number.set(1);
  await world.until(() => world.onDisk() === 1);
  Deno.removeSync(world.folder, { recursive: true });
  world.number.set(2);
  await world.until(() => world.log.length >= 2);
  const said = /can't be kept: .*n\.state was deleted; it is counted in memory only \u2192 make /;
  assertMatch(world.log[1] ?? "", said);
});

withWorld.test("StatePersister.run() ends within 400 ms although a write hangs", async (world) => {
  const persister = await world.open();
  let writes = 0;
  world.file.write = () => (writes++, new Promise(() => {}));
  world.number.set(1);
  const stop = new AbortController();
  const running = persister.run(stop.signal);
  await world.time.run(1_000);
  while (writes === 0) await Promise.resolve();
  stop.abort();
  assertEquals(await world.time.until(running, { withinMs: 60_000 }), 400);
});

withWorld.test("StatePersister writes nothing more once it has left the folder to others", async (world) => {
  const persister = await world.open();
  assertEquals(persister.isOwner, true);
  world.number.set(1);
  await persister.run(AbortSignal.abort());
  using _other = world.other();
  assertEquals(persister.isOwner, false);
  world.number.set(2);
  await persister.flush();
  assertEquals(world.onDisk(), 1);
});

withWorld.test("StatePersister.flush() writes what is new at once, one write after the other, and says why it can't", async (world) => {
  const { file, number } = world;
  let [writes, atOnce, mostAtOnce] = [0, 0, 0];
  file.write = async (text) => {
    writes++;
    mostAtOnce = Math.max(mostAtOnce, ++atOnce);
    await Promise.resolve();
    await StateFile.prototype.write.call(file, text);
    atOnce--;
  };
  const persister = await world.open();
  number.set(1);
  const first = persister.flush();
  // The first has taken its text by then.
  for (let turn = 0; turn < 2; turn++) await Promise.resolve();
  number.set(2);
  assertEquals(await Promise.all([first, persister.flush()]), ["", ""]);
  await persister.flush();
  assertEquals([file.read().value, writes, mostAtOnce], [2, 2, 1]);
  Deno.removeSync(world.folder, { recursive: true });
  number.set(8);
  assertMatch(await persister.flush(), /n\.state was deleted/);
  world.run(persister);
});
