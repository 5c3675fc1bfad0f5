import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { StateFile } from "../../lib/state/state_file.ts";
import { ClosedFolder, inClosedFolder } from "../closed_folder.ts";
import { replaced } from "../replaced.ts";
import { syncedPaths } from "./synced_paths.ts";
import { mountedInMemory } from "../mounted.ts";
import { onlyIf } from "../only_on.ts";

interface Numbered {
  number: number;
}

function parse(text: string): Numbered {
  const { number } = JSON.parse(text);
  if (!Number.isInteger(number)) throw new SyntaxError("no number");
  return { number };
}

function stateFile(folder: string): StateFile<Numbered> {
  return new StateFile(folder, { name: "state", parse });
}

/** Writes numbers one after the other, as one process would. */
async function write(folder: string, ...numbers: readonly number[]): Promise<void> {
  using file = stateFile(folder);
  await file.open();
  for (const number of numbers) await file.write(text(number));
}

const NOTHING = { value: undefined, problems: [] };

/** What is read where this was written last, and all is well. */
function only(number: number) {
  return { value: { number }, problems: [] };
}

function text(number: number): string {
  return JSON.stringify({ number });
}

function names(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

inClosedFolder.test("StateFile.read() gives what was written, and nothing where there is nothing", async (folder) => {
  assertEquals(stateFile(folder.path).read(), NOTHING);
  assertEquals(names(folder.path), []);
  await write(folder.path, 1, 2);
  assertEquals(stateFile(folder.path).read(), only(2));
  assertEquals(names(folder.path), ["state.state"]);
  assertEquals((Deno.statSync(`${folder.path}/state.state`).mode ?? 0) & 0o777, 0o600);
});

inClosedFolder.test("StateFile.write() works without a path once the file is open", async (folder) => {
  using file = stateFile(`${folder.path}/a`);
  await file.open();
  await file.write(text(1));
  Deno.renameSync(`${folder.path}/a`, `${folder.path}/b`);
  await file.write(text(2));
  assertEquals(file.read(), only(2));
  assertEquals(stateFile(`${folder.path}/b`).read().value, { number: 2 });
  assertEquals(names(folder.path), ["b"]);
  Deno.removeSync(`${folder.path}/b`, { recursive: true });
  await assertRejects(() => file.write(text(3)), Error, "state.state was deleted");
});

inClosedFolder.test("StateFile.open() writes to nothing that a link leads to, and takes nothing but a file", async (folder) => {
  const path = `${folder.path}/state.state`;
  Deno.writeTextFileSync(`${folder.path}/theirs`, "as it was");
  Deno.symlinkSync("theirs", path);
  await write(folder.path, 1);
  assertEquals(Deno.readTextFileSync(`${folder.path}/theirs`), "as it was");
  assertEquals(Deno.lstatSync(path).isFile, true);
  assertEquals(names(folder.path), ["state.state", "state.state.damaged", "theirs"]);
  Deno.removeSync(`${path}.damaged`);
  Deno.removeSync(path);
  Deno.symlinkSync("nowhere", path);
  await assertRejects(() => write(folder.path, 1), Error, "Cannot use");
  assertEquals(names(folder.path), ["state.state", "theirs"]);
  Deno.removeSync(path);
  Deno.mkdirSync(path);
  await assertRejects(() => write(folder.path, 1), Error, "Cannot use");
});

const SLOT_BYTES = 64 * 1024;

/** The bytes of a text in the file: its checksum, its number, the text and a zero. */
function slotLength(bytes: Uint8Array, slot: number): number {
  return bytes.indexOf(0, slot * SLOT_BYTES) + 1 - slot * SLOT_BYTES;
}

inClosedFolder.test("StateFile.read() gives the state before when the last one is damaged at any byte", async (folder) => {
  const path = `${folder.path}/state.state`;
  await write(folder.path, 1, 2, 3);
  const whole = Deno.readFileSync(path);
  const length = slotLength(whole, 1) - 1;
  for (let at = 0; at < length; at++) {
    const damaged = Uint8Array.from(whole);
    damaged[SLOT_BYTES + at] = (damaged[SLOT_BYTES + at] ?? 0) ^ 1;
    Deno.writeFileSync(path, damaged);
    const problems = [`${path} is damaged, and an older state is used`];
    assertEquals(stateFile(folder.path).read(), { ...only(2), problems }, `byte ${at}`);
  }
  await write(folder.path, 5);
  assertEquals(stateFile(folder.path).read(), only(5));
});

inClosedFolder.test("StateFile.read() gives the state before when a write was cut off anywhere", async (folder) => {
  const path = `${folder.path}/state.state`;
  await write(folder.path, 1, 2, 3);
  const before = Deno.readFileSync(path);
  await write(folder.path, 1234567);
  const after = Deno.readFileSync(path);
  const length = slotLength(after, 0);
  assert(length > slotLength(before, 0));
  for (let at = 0; at < length; at++) {
    const cut = Uint8Array.from(before);
    cut.set(after.subarray(0, at));
    Deno.writeFileSync(path, cut);
    const { value } = stateFile(folder.path).read();
    // Nothing is missing once only zeros are: what was there before was shorter.
    assertEquals(value?.number, at === 0 || at < length - 1 ? 3 : 1234567, `${at} bytes`);
  }
});

inClosedFolder.test("StateFile.read() takes no state from bytes that it has not written", (folder) => {
  const text = fc.string().map((it) => new TextEncoder().encode(it));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), text), (bytes) => {
      Deno.writeFileSync(`${folder.path}/state.state`, bytes);
      const { value, problems } = stateFile(folder.path).read();
      assertEquals([value, problems.length], [undefined, 2]);
    }),
    { numRuns: 100 },
  );
});

inClosedFolder.test("StateFile.read() takes a new file for no damage, and one whose only state is damaged for one", async (folder) => {
  const path = `${folder.path}/state.state`;
  await write(folder.path);
  assertEquals(stateFile(folder.path).read(), NOTHING);
  await write(folder.path, 1);
  const bytes = Deno.readFileSync(path);
  bytes.set(new TextEncoder().encode("x"), SLOT_BYTES);
  Deno.writeFileSync(path, bytes);
  assertEquals(stateFile(folder.path).read().problems[0], `${path} is damaged`);
});

inClosedFolder.test("StateFile.open() makes a file that nobody ever sees empty", async (folder) => {
  const other = stateFile(folder.path);
  using file = stateFile(folder.path);
  let isOpen = false;
  const opened = file.open().then(() => isOpen = true);
  // What another process finds meanwhile, at any moment.
  while (!isOpen) {
    assertEquals(other.read(), NOTHING);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await opened;
  assertEquals(names(folder.path), ["state.state"]);
});

inClosedFolder.test("StateFile.write() refuses a text that does not fit, and keeps the one before", async (folder) => {
  const longest = text(7).padEnd(SLOT_BYTES - "4294967295 1 ".length - 1);
  using file = stateFile(folder.path);
  await file.open();
  await file.write(longest);
  await file.write(text(8));
  await assertRejects(() => file.write(longest.padEnd(SLOT_BYTES)), Error, "Cannot write");
  assertEquals(stateFile(folder.path).read(), only(8));
  await file.write(text(9));
  assertEquals(stateFile(folder.path).read(), only(9));
  assert(Deno.statSync(file.path).size <= 2 * SLOT_BYTES);
});

inClosedFolder.test("StateFile.write() goes on from what another process has written when that was read", async (folder) => {
  using one = stateFile(folder.path);
  using other = stateFile(folder.path);
  await one.open();
  await other.open();
  await one.write(text(1));
  other.read();
  await other.write(text(2));
  one.read();
  await one.write(text(3));
  assertEquals(stateFile(folder.path).read(), only(3));
});

inClosedFolder.test("StateFile brings each text to the disk before it goes on", async (folder) => {
  const { syncData } = Deno.FsFile.prototype;
  /** What the file held each time. */
  const synced: (number | undefined)[] = [];
  using _seen = replaced(Deno.FsFile.prototype, {
    async syncData(this: Deno.FsFile): Promise<void> {
      await syncData.call(this);
      synced.push(stateFile(folder.path).read().value?.number);
    },
  });
  await write(folder.path, 1, 2);
  assertEquals(synced, [undefined, 1, 2]);
});

inClosedFolder.test("StateFile.write() writes what other versions read, with the checksum that gzip has", async (folder) => {
  await write(folder.path, 1);
  const bytes = Deno.readFileSync(`${folder.path}/state.state`);
  const slot = (at: number) =>
    new TextDecoder().decode(bytes.subarray(at * SLOT_BYTES).subarray(0, slotLength(bytes, at)));
  assertEquals([slot(0), slot(1)], ["2784036036 0 \0", '3991731813 1 {"number":1}\0']);
});

inClosedFolder.test("StateFile.open() keeps what is damaged beside, and starts anew", async (folder) => {
  Deno.writeTextFileSync(`${folder.path}/state.state`, "not ours");
  const { value, problems } = stateFile(folder.path).read();
  assertEquals(value, undefined);
  assert(problems.join("; ").endsWith("the damaged file is kept as .damaged"), `${problems}`);
  using file = stateFile(folder.path);
  assertEquals(await file.open(), { value, problems });
  assertEquals(Deno.readTextFileSync(`${folder.path}/state.state.damaged`), "not ours");
  assertEquals(file.read(), NOTHING);
  await file.write(text(1));
  assertEquals(stateFile(folder.path).read(), only(1));
});

inClosedFolder.test("StateFile.open() tells of a file that a crash has left with zeros", async (folder) => {
  for (const bytes of [0, 1, 4096, 600_000]) {
    const below = `${folder.path}/${bytes}`;
    const path = `${below}/state.state`;
    Deno.mkdirSync(below, { mode: 0o700 });
    Deno.writeFileSync(path, new Uint8Array(bytes));
    using file = stateFile(below);
    const { value, problems } = await file.open();
    assertEquals([value, problems[0]], [undefined, `${path} is damaged`]);
    assertEquals(Deno.statSync(`${path}.damaged`).size, bytes);
    assertEquals(stateFile(below).read(), NOTHING);
  }
});

inClosedFolder.test("StateFile.read() throws when the system refuses to give the file", async (folder) => {
  await Deno.symlink("state.state", `${folder.path}/state.state`);
  const why = `Cannot read ${folder.path}/state.state`;
  assertThrows(() => stateFile(folder.path).read(), Error, why);
});

inClosedFolder.test("StateFile.read() gives again what it has read when the system refuses the file since", async (folder) => {
  await write(folder.path, 1);
  const file = stateFile(folder.path);
  assertEquals(file.read().value, { number: 1 });
  const openSync = () => {
    throw new Deno.errors.PermissionDenied("sealed");
  };
  using _sealed = replaced(Deno, { openSync });
  assertEquals(file.read(), only(1));
  const why = `Cannot read ${folder.path}/state.state`;
  assertThrows(() => stateFile(folder.path).read(), Error, why);
});

inClosedFolder.test("StateFile.write() makes the folder where there is none, and throws where none can be", async (folder) => {
  using file = stateFile(`${folder.path}/later`);
  await file.write(text(1));
  assertEquals(file.read().value, { number: 1 });
  assertEquals((Deno.statSync(`${folder.path}/later`).mode ?? 0) & 0o777, 0o700);
  await assertRejects(() => write("/dev/null/state", 1), Error, "Cannot use /dev/null/state");
});

// The superuser may write everywhere.
const notAsRoot = onlyIf(Deno.uid() !== 0);

notAsRoot.test("StateFile.open() throws when the folder can only be read", async () => {
  using folder = new ClosedFolder();
  await Deno.chmod(folder.path, 0o500);
  await assertRejects(() => write(folder.path, 2), Error, "Cannot use");
  assertEquals(stateFile(folder.path).read(), NOTHING);
});

inClosedFolder.test("StateFile.write() survives a disk that is full or read-only", async (folder) => {
  await using mount = await mountedInMemory(folder.path, "size=32k,mode=0700");
  if (mount === undefined) return;
  await write(folder.path, 1);
  await fill(`${folder.path}/filler`);
  using file = stateFile(folder.path);
  await file.open();
  await assertRejects(() => file.write(text(2).padEnd(8192)), Error, "Cannot write");
  assertEquals(stateFile(folder.path).read().value, { number: 1 });
  await Deno.remove(`${folder.path}/filler`);
  await file.write(text(4));
  assertEquals(stateFile(folder.path).read(), only(4));
  file[Symbol.dispose]();
  assert(await remountReadOnly(folder.path));
  await assertRejects(() => write(folder.path, 5), Error, "Cannot use");
  assertEquals(stateFile(folder.path).read(), only(4));
});

inClosedFolder.test("StateFile.open() goes on where a new file can't be brought to the disk yet", async (folder) => {
  using file = stateFile(folder.path);
  {
    const syncData = () => Promise.reject(new Error("No space left"));
    using _full = replaced(Deno.FsFile.prototype, { syncData });
    assertEquals(await file.open(), NOTHING);
    const why = `Cannot write ${folder.path}/state.state`;
    await assertRejects(() => file.write(text(1)), Error, why);
  }
  await file.write(text(2));
  assertEquals(file.read().value, { number: 2 });
});

/** Tries again while the kernel still has a file open that was closed a moment before. */
async function remountReadOnly(folder: string): Promise<boolean> {
  const args = ["-o", "remount,ro", folder];
  for (let tries = 0; tries < 100; tries++) {
    if ((await new Deno.Command("mount", { args }).output()).success) return true;
  }
  return false;
}

async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  try {
    while (true) await file.write(new Uint8Array(4096));
  } catch {
    // Full.
  }
}

inClosedFolder.test("StateFile is readable, and one write old at most, after 50 kills", async (folder) => {
  let told = 0;
  for (let kill = 0; kill < 50; kill++) {
    told = await writeUntilKilled(folder.path, told);
    const { value, problems } = stateFile(folder.path).read();
    assert(value !== undefined, `${problems}`);
    assert(value.number >= told, `${value.number} after ${told} was written`);
    told = value.number;
  }
});

/** Kills a writer at any moment after its first write; the last number that it told of. */
async function writeUntilKilled(folder: string, before: number): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", "--no-check", WRITER, folder],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let told = before;
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    told = Number(chunk.trim().split("\n").at(-1));
    timer ??= setTimeout(() => child.kill("SIGKILL"), Math.random() * 8);
  }
  await child.status;
  clearTimeout(timer);
  return told;
}

const WRITER = new URL("state_writer.ts", import.meta.url).pathname;

/** Paths of folders that `use` brings to the disk, in order; files are left out. */
async function syncedFolders(use: () => Promise<unknown>): Promise<string[]> {
  return (await syncedPaths(use)).filter((path) => path.endsWith("/"));
}

inClosedFolder.test("StateFile.open() brings the folder of a new file to the disk, and no known one", async (folder) => {
  const open = async () => {
    using file = stateFile(folder.path);
    await file.open();
  };
  assertEquals(await syncedFolders(open), [`${folder.path}/`]);
  assertEquals(await syncedFolders(open), []);
});
