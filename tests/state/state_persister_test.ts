import { assert, assertEquals, assertMatch } from "@std/assert";
import { StateFile } from "../../lib/state/state_file.ts";
import { FolderLock } from "../../lib/state/state_lock.ts";
import { type PersistentState, StatePersister } from "../../lib/state/state_persister.ts";
import { setUpLog } from "../../lib/log/log.ts";

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

/** A persister that writes often, and all that it touches. */
class World implements AsyncDisposable {
  readonly parent = Deno.makeTempDirSync({ prefix: "state-keeper-" });
  readonly folder = `${this.parent}/state`;
  readonly number = new PersistentNumber();
  readonly log: string[] = [];
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor() {
    setUpLog({ ...LOG, level: "info", write: (line) => this.log.push(line) });
  }

  async start(): Promise<void> {
    const file = new StateFile(this.folder, { name: "n", parse: parseNumber });
    const times = { firstMs: 1, intervalMs: 2 };
    const persister = new StatePersister(file, this.number, { times });
    await persister.open();
    this.#running = persister.run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  onDisk(): number | undefined {
    return new StateFile(this.folder, { name: "n", parse: parseNumber }).read().value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    setUpLog({ ...LOG, level: "error", write: () => {} });
    Deno.removeSync(this.parent, { recursive: true });
  }
}

const LOG = { format: "text", secrets: [], forJournal: true } as const;

function parseNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new SyntaxError("no number");
  return Number(text);
}

async function until(isSo: () => boolean): Promise<void> {
  for (let look = 0; !isSo(); look++) {
    assert(look < 20_000, "it has come about");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Leaves a state as an agent that ran before does. */
async function leave(folder: string, number: number): Promise<void> {
  using file = new StateFile(folder, { name: "n", parse: parseNumber });
  await file.open();
  await file.write(String(number));
}

Deno.test("StatePersister goes on from what is there, writes what is new, and once more at the end", async () => {
  await using world = new World();
  await leave(world.folder, 41);
  await world.start();
  assertEquals(world.number.value, 41);
  world.number.set(42);
  await until(() => world.onDisk() === 42);
  world.number.set(43);
  await world.stop();
  assertEquals(world.onDisk(), 43);
  assertEquals(world.log, []);
});

Deno.test("StatePersister writes nothing while there is nothing new", async () => {
  await using world = new World();
  await world.start();
  await until(() => world.number.asked >= 3);
  await world.stop();
  assertEquals(world.onDisk(), undefined);
});

Deno.test("StatePersister.open() opens everything that is needed to write later", async () => {
  await using world = new World();
  await leave(world.folder, 1);
  await world.start();
  Deno.renameSync(world.folder, `${world.folder}.moved`);
  Deno.writeTextFileSync(world.folder, "no folder");
  world.number.set(2);
  await world.stop();
  Deno.removeSync(world.folder);
  Deno.renameSync(`${world.folder}.moved`, world.folder);
  assertEquals(world.onDisk(), 2);
});

Deno.test("StatePersister says once that it can't open its file, and goes on", async () => {
  await using world = new World();
  Deno.writeTextFileSync(world.folder, "a file where the folder should be");
  await world.start();
  for (const value of [1, 2, 3]) {
    world.number.set(value);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await world.stop();
  assertEquals(world.log.length, 1, world.log.join("\n"));
  assertMatch(
    world.log[0] ?? "",
    /^<4>agent: The number can't be kept: .*; restart the agent when .*; it is counted in memory/,
  );
});

Deno.test("StatePersister leaves another's folder alone, and takes it over with what lies there", async () => {
  await using world = new World();
  await leave(world.folder, 5);
  using other = FolderLock.open(world.folder);
  assert(other.tryLock());
  await world.start();
  assertEquals(world.number.value, 5, "it counts along");
  world.number.set(6);
  await until(() => world.log.length >= 1);
  assertMatch(world.log[0] ?? "", /another agent uses .*; give each a --state-dir of its own/);
  assertEquals(world.onDisk(), 5);
  await leave(world.folder, 8);
  other.unlock();
  await until(() => world.number.value === 8);
  world.number.set(9);
  await world.stop();
  assertEquals(world.onDisk(), 9);
});

Deno.test("StatePersister warns of a damaged state", async () => {
  await using world = new World();
  Deno.mkdirSync(world.folder);
  Deno.writeTextFileSync(`${world.folder}/n.state`, "x");
  await world.start();
  assertEquals(world.log.length, 1);
  assertMatch(world.log[0] ?? "", /^<4>agent: The number: .*n\.state is damaged; it starts anew/);
});

Deno.test("StatePersister says that its file was deleted, since it can't make another", async () => {
  await using world = new World();
  await world.start();
  world.number.set(1);
  await until(() => world.onDisk() === 1);
  Deno.removeSync(world.folder, { recursive: true });
  world.number.set(2);
  await until(() => world.log.length >= 1);
  assertMatch(world.log[0] ?? "", /can't be kept: .*n\.state was deleted; restart the agent/);
});

/** A disk that hangs: a write to it never ends. */
class HangingFile extends StateFile<number> {
  readonly writing = Promise.withResolvers<void>();

  override write(): Promise<void> {
    this.writing.resolve();
    return new Promise(() => {});
  }
}

Deno.test("StatePersister.run() ends within 400 ms although a write hangs", async () => {
  const folder = Deno.makeTempDirSync();
  // The runtime's own, which no fake clock moves.
  const { timeout } = AbortSignal;
  const late = new AbortController();
  const limitsMs: number[] = [];
  AbortSignal.timeout = (ms) => {
    limitsMs.push(ms);
    return late.signal;
  };
  try {
    const file = new HangingFile(folder, { name: "n", parse: parseNumber });
    const number = new PersistentNumber();
    const times = { firstMs: 1, intervalMs: 2 };
    const persister = new StatePersister(file, number, { times });
    await persister.open();
    number.set(1);
    const stop = new AbortController();
    const running = persister.run(stop.signal);
    await file.writing.promise;
    stop.abort();
    await until(() => limitsMs.length > 0);
    assertEquals(limitsMs, [400]);
    late.abort();
    await running;
  } finally {
    AbortSignal.timeout = timeout;
    Deno.removeSync(folder, { recursive: true });
  }
});
