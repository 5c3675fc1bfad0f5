import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { StateFile } from "../../lib/state/state_file.ts";
import { ClosedFolder } from "../closed_folder.ts";
import { mountedInMemory } from "../mounted.ts";
import { replaced } from "../replaced.ts";
import { testsWith } from "../tests_with.ts";
import { numberFile } from "./number_file.ts";
import { syncedPaths } from "./synced_paths.ts";

const modeOf = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;

/** A folder with a state file, as each process sees it that opens it anew. */
class Store extends ClosedFolder {
  readonly file = `${this.path}/n.state`;
  readonly damage = `${this.file} is damaged`;

  async opened(folder = this.path): Promise<StateFile<number>> {
    const file = numberFile(folder);
    await file.open();
    return file;
  }

  /** Writes numbers one after the other, as one process would. */
  async write(...numbers: readonly number[]): Promise<void> {
    using file = await this.opened();
    for (const number of numbers) await file.write(`${number}`);
  }

  /** The number that is read, and the problems behind it. */
  read(): [number: number | undefined, ...problems: string[]] {
    const { value, problems } = numberFile(this.path).read();
    return [value, ...problems];
  }

  names(): string {
    return Array.from(Deno.readDirSync(this.path), ({ name }) => name).sort().join(" ");
  }
}

const inStore = testsWith(() => new Store());

inStore.test("StateFile.read() gives what was written, and nothing where there is nothing", async (store) => {
  assertEquals([store.read(), store.names()], [[undefined], ""]);
  await store.write();
  assertEquals(store.read(), [undefined]);
  await store.write(1, 2);
  assertEquals([store.read(), store.names(), modeOf(store.file)], [[2], "n.state", 0o600]);
  // A write makes the folder where there is none.
  const later = `${store.path}/later`;
  using file = numberFile(later);
  await file.write("1");
  assertEquals([file.read().value, modeOf(later)], [1, 0o700]);
  await assertRejects(() => store.opened("/dev/null/state"), Error, "Cannot use /dev/null/state");
});

inStore.test("StateFile.open() writes to nothing that a link leads to, and takes nothing but a file", async (store) => {
  const theirs = `${store.path}/theirs`;
  Deno.writeTextFileSync(theirs, "as it was");
  Deno.symlinkSync("theirs", store.file);
  await store.write(1);
  assertEquals(Deno.readTextFileSync(theirs), "as it was");
  assertEquals(Deno.lstatSync(store.file).isFile, true);
  assertEquals(store.names(), "n.state n.state.damaged theirs");
  for (const put of [() => Deno.symlinkSync("no", store.file), () => Deno.mkdirSync(store.file)]) {
    Deno.removeSync(store.file);
    put();
    await assertRejects(() => store.write(1), Error, "Cannot use");
  }
});

const SLOT_BYTES = 64 * 1024;

/** The bytes of a text in the file: its checksum, its number, the text and a zero. */
function slotLength(bytes: Uint8Array, slot: number): number {
  return bytes.indexOf(0, slot * SLOT_BYTES) + 1 - slot * SLOT_BYTES;
}

inStore.test("StateFile.read() gives the state before when the last is damaged at any byte, or was cut off anywhere", async (store) => {
  await store.write(1, 2, 3);
  const whole = Deno.readFileSync(store.file);
  for (let at = SLOT_BYTES; at < SLOT_BYTES + slotLength(whole, 1) - 1; at++) {
    const damaged = Uint8Array.from(whole);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    Deno.writeFileSync(store.file, damaged);
    assertEquals(store.read(), [2, `${store.damage}, and an older state is used`], `byte ${at}`);
  }
  await store.write(5);
  assertEquals(store.read(), [5]);
  Deno.writeFileSync(store.file, whole);
  await store.write(1234567);
  const after = Deno.readFileSync(store.file);
  const length = slotLength(after, 0);
  assert(length > slotLength(whole, 0));
  for (let at = 0; at < length; at++) {
    const cut = Uint8Array.from(whole);
    cut.set(after.subarray(0, at));
    Deno.writeFileSync(store.file, cut);
    // Nothing is missing once only zeros are: what was there before was shorter.
    assertEquals(store.read()[0], at === 0 || at < length - 1 ? 3 : 1234567, `${at} bytes`);
  }
});

inStore.test("StateFile.read() takes no state from bytes that it has not written, and open() keeps those beside", async (store) => {
  const foreign = fc.string().map((it) => new TextEncoder().encode(it));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), foreign), (bytes) => {
      Deno.writeFileSync(store.file, bytes);
      const [value, ...problems] = store.read();
      assertEquals([value, problems.length], [undefined, 2]);
    }),
    { numRuns: 100 },
  );
  // Also what a crash leaves: nothing, or zeros.
  for (const bytes of [new Uint8Array(0), new Uint8Array(600_000), new Uint8Array(9).fill(120)]) {
    Deno.writeFileSync(store.file, bytes);
    const found = numberFile(store.path).read();
    assertEquals(found.problems[1]?.endsWith("the damaged file is kept as .damaged"), true);
    using file = numberFile(store.path);
    assertEquals([await file.open(), found.problems[0]], [found, store.damage]);
    assertEquals(Deno.readFileSync(`${store.file}.damaged`), bytes);
    assertEquals(store.read(), [undefined]);
    await file.write("1");
    assertEquals(store.read(), [1]);
  }
  // The only state of a file, beside the mark of a new one.
  const bytes = Deno.readFileSync(store.file);
  bytes.set(new TextEncoder().encode("x"), SLOT_BYTES);
  Deno.writeFileSync(store.file, bytes);
  assertEquals(store.read()[1], store.damage);
});

inStore.test("StateFile.open() makes a file that nobody ever sees empty", async (store) => {
  using file = numberFile(store.path);
  let isOpen = false;
  const opened = file.open().then(() => isOpen = true);
  // What another process finds meanwhile, at any moment.
  while (!isOpen) {
    assertEquals(store.read(), [undefined]);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await opened;
  assertEquals(store.names(), "n.state");
});

inStore.test("StateFile.write() refuses a text that does not fit, and keeps the one before", async (store) => {
  const longest = "7".padEnd(SLOT_BYTES - "4294967295 1 ".length - 1);
  using file = await store.opened();
  await file.write(longest);
  await file.write("8");
  await assertRejects(() => file.write(longest.padEnd(SLOT_BYTES)), Error, "Cannot write");
  assertEquals(store.read(), [8]);
  await file.write("9");
  assertEquals(store.read(), [9]);
  assert(Deno.statSync(store.file).size <= 2 * SLOT_BYTES);
});

inStore.test("StateFile.write() goes on from what another process has written when that was read", async (store) => {
  using one = await store.opened();
  using other = await store.opened();
  await one.write("1");
  other.read();
  await other.write("2");
  one.read();
  await one.write("3");
  assertEquals(store.read(), [3]);
});

inStore.test("StateFile brings each text to the disk before it goes on, and the folder of a new file", async (store) => {
  const below = `${store.path}/new`;
  const folders = async () => {
    const synced = await syncedPaths(async () => (await store.opened(below))[Symbol.dispose]());
    return synced.filter((path) => path.endsWith("/"));
  };
  assertEquals([await folders(), await folders()], [[`${below}/`], []]);
  const { syncData } = Deno.FsFile.prototype;
  /** What the file held each time. */
  const synced: (number | undefined)[] = [];
  using _seen = replaced(Deno.FsFile.prototype, {
    async syncData(this: Deno.FsFile): Promise<void> {
      await syncData.call(this);
      synced.push(store.read()[0]);
    },
  });
  await store.write(1, 2);
  assertEquals(synced, [undefined, 1, 2]);
});

inStore.test("StateFile.read() throws where the system refuses the file, but gives again what it has read", async (store) => {
  const why = `Cannot read ${store.file}`;
  for (const target of ["n.state", "/dev/null"]) {
    await Deno.symlink(target, store.file);
    assertThrows(() => store.read(), Error, why);
    Deno.removeSync(store.file);
  }
  await store.write(1);
  const file = numberFile(store.path);
  assertEquals(file.read().value, 1);
  const openSync = () => {
    throw new Deno.errors.PermissionDenied("sealed");
  };
  using _sealed = replaced(Deno, { openSync });
  assertEquals(file.read(), { value: 1, problems: [] });
  assertThrows(() => store.read(), Error, why);
});

inStore.test("StateFile survives a disk that is full or read-only, from its first write on", async (store) => {
  {
    using file = numberFile(store.path);
    {
      const syncData = () => Promise.reject(new Error("No space left"));
      using _full = replaced(Deno.FsFile.prototype, { syncData });
      assertEquals((await file.open()).problems, []);
      await assertRejects(() => file.write("1"), Error, `Cannot write ${store.file}`);
    }
    await file.write("2");
    assertEquals(store.read(), [2]);
  }
  await using mount = await mountedInMemory(store.path, "size=32k,mode=0700");
  if (mount === undefined) return;
  await store.write(1);
  const filler = `${store.path}/filler`;
  await new Deno.Command("dd", { args: ["if=/dev/zero", `of=${filler}`], stderr: "null" }).output();
  using file = await store.opened();
  await assertRejects(() => file.write("2".padEnd(8192)), Error, "Cannot write");
  assertEquals(store.read()[0], 1);
  await Deno.remove(filler);
  await file.write("4");
  assertEquals(store.read(), [4]);
  file[Symbol.dispose]();
  const remount = new Deno.Command("mount", { args: ["-o", "remount,ro", store.path] });
  // The kernel may still have a file open that was closed a moment before.
  for (let tries = 0; !(await remount.output()).success; tries++) assert(tries < 100);
  await assertRejects(() => store.write(5), Error, "Cannot use");
  assertEquals(store.read(), [4]);
});
