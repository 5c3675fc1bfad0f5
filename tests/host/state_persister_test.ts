import { assert, assertEquals, assertMatch } from "@std/assert";
import { StateFile } from "../../lib/host/state_file.ts";
import { lockFolder } from "../../lib/host/state_lock.ts";
import {
  isOrderWaiting,
  type Kept,
  leaveOrder,
  StateKeeper,
} from "../../lib/host/state_persister.ts";
import { setUpLog } from "../../lib/log/log.ts";

/** A number that is kept. */
class KeptNumber implements Kept<number> {
  readonly name = "The number";
  value = 0;
  /** How often its text was asked for. */
  asked = 0;
  readonly orders: string[] = [];
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

  obey(order: string): void {
    this.orders.push(order);
    this.set(Number(order));
  }

  set(value: number): void {
    this.value = value;
    this.#generation++;
  }
}

/** A keeper that runs at a fast pace, and all that it touches. */
class World implements AsyncDisposable {
  readonly parent = Deno.makeTempDirSync({ prefix: "state-keeper-" });
  readonly folder = `${this.parent}/state`;
  readonly number = new KeptNumber();
  readonly log: string[] = [];
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor() {
    setUpLog({ ...LOG, level: "info", write: (line) => this.log.push(line) });
  }

  start(): void {
    const file = new StateFile(this.folder, { name: "n.json", parse: parseNumber });
    const keeper = new StateKeeper(file, this.number, { pace: { firstMs: 1, beatMs: 2 } });
    keeper.open();
    this.#running = keeper.run(this.#stop.signal);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  onDisk(name = "n.json"): string | undefined {
    try {
      return Deno.readTextFileSync(`${this.folder}/${name}`);
    } catch {
      return undefined;
    }
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

Deno.test("StateKeeper goes on from what is there, writes what is new, and once more at the end", async () => {
  await using world = new World();
  Deno.mkdirSync(world.folder);
  Deno.writeTextFileSync(`${world.folder}/n.json`, "41");
  world.start();
  assertEquals(world.number.value, 41);
  world.number.set(42);
  await until(() => world.onDisk() === "42");
  world.number.set(43);
  await world.stop();
  assertEquals(world.onDisk(), "43");
  assertEquals(world.onDisk("n.json.bak"), "42");
  assertEquals(world.log, []);
});

Deno.test("StateKeeper writes nothing while there is nothing new", async () => {
  await using world = new World();
  world.start();
  await until(() => world.number.asked >= 3);
  await world.stop();
  assertEquals(world.onDisk(), undefined);
});

Deno.test("StateKeeper does what it finds an order for, once, and writes it at once", async () => {
  await using world = new World();
  world.start();
  await until(() => world.number.asked >= 1);
  await leaveOrder(world.folder, "7");
  await until(() => world.onDisk() === "7");
  assertEquals(isOrderWaiting(world.folder), false);
  await until(() => world.number.asked >= 4);
  assertEquals(world.number.orders, ["7"]);
});

Deno.test("StateKeeper says once that it can't write, and once that it can again", async () => {
  await using world = new World();
  Deno.writeTextFileSync(world.folder, "a file where the folder should be");
  world.start();
  world.number.set(1);
  await until(() => world.log.length >= 1);
  world.number.set(2);
  // Many more tries are made before the folder can be had.
  for (let wait = 0; wait < 20; wait++) await new Promise((resolve) => setTimeout(resolve, 2));
  assertEquals(world.log.length, 1, world.log.join("\n"));
  assertMatch(
    world.log[0] ?? "",
    /^<4>agent: The number can't be kept: .*; it is counted in memory/,
  );
  Deno.removeSync(world.folder);
  await until(() => world.log.length >= 2);
  assertEquals(world.onDisk(), "2");
  assertEquals(world.log[1], `<6>agent: The number is kept in ${world.folder} again`);
});

Deno.test("StateKeeper leaves another's folder alone, and takes it over with what lies there", async () => {
  await using world = new World();
  const other = lockFolder(world.folder);
  Deno.writeTextFileSync(`${world.folder}/n.json`, "5");
  world.start();
  assertEquals(world.number.value, 5, "it counts along");
  world.number.set(6);
  await leaveOrder(world.folder, "99");
  await until(() => world.log.length >= 1);
  assertMatch(world.log[0] ?? "", /another agent uses .*; give each a --state-dir of its own/);
  assertEquals([world.onDisk(), isOrderWaiting(world.folder)], ["5", true]);
  Deno.removeSync(`${world.folder}/order.json`);
  Deno.writeTextFileSync(`${world.folder}/n.json`, "8");
  other?.close();
  await until(() => world.number.value === 8);
  world.number.set(9);
  await world.stop();
  assertEquals(world.onDisk(), "9");
});

Deno.test("StateKeeper warns of a damaged state", async () => {
  await using world = new World();
  Deno.mkdirSync(world.folder);
  Deno.writeTextFileSync(`${world.folder}/n.json`, "");
  world.start();
  assertEquals(world.log.length, 1);
  assertMatch(
    world.log[0] ?? "",
    /^<4>agent: The number: .*n\.json is damaged; all is counted anew/,
  );
});

Deno.test("StateKeeper makes its folder anew when somebody has removed it", async () => {
  await using world = new World();
  world.start();
  world.number.set(1);
  await until(() => world.onDisk() === "1");
  Deno.removeSync(world.folder, { recursive: true });
  world.number.set(2);
  await until(() => world.onDisk() === "2");
  await until(() => world.log.length >= 2);
  assertMatch(world.log[0] ?? "", /can't be kept/);
  assertMatch(world.log[1] ?? "", /is kept in .* again/);
  assertEquals(lockFolder(world.folder), undefined, "and holds it");
});
