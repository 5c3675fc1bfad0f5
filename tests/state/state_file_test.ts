import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { StateFile } from "../../lib/state/state_file.ts";
import { openBelow } from "../open_below.ts";
import { syncedPaths } from "./synced_paths.ts";

interface Numbered {
  number: number;
}

function parse(text: string): Numbered {
  const { number } = JSON.parse(text);
  if (!Number.isInteger(number)) throw new SyntaxError("no number");
  return { number };
}

/** A folder of its own, which is gone afterwards. */
async function withFolder(use: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "state-file-" });
  try {
    await use(folder);
    assertEquals(openBelow(folder), [], "nothing stays open");
  } finally {
    await Deno.chmod(folder, 0o700);
    await Deno.remove(folder, { recursive: true });
  }
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

function text(number: number): string {
  return JSON.stringify({ number });
}

function names(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).sort();
}

Deno.test("StateFile.read() gives what was written, and nothing where there is nothing", async () => {
  await withFolder(async (folder) => {
    assertEquals(stateFile(folder).read(), { value: undefined, problems: [] });
    assertEquals(names(folder), []);
    await write(folder, 1, 2);
    assertEquals(stateFile(folder).read(), { value: { number: 2 }, problems: [] });
    assertEquals(names(folder), ["state.state"]);
    assertEquals((Deno.statSync(`${folder}/state.state`).mode ?? 0) & 0o777, 0o600);
  });
});

Deno.test("StateFile.write() works without a path once the file is open", async () => {
  await withFolder(async (folder) => {
    using file = stateFile(`${folder}/a`);
    await file.open();
    await file.write(text(1));
    Deno.renameSync(`${folder}/a`, `${folder}/b`);
    await file.write(text(2));
    assertEquals(file.read(), { value: { number: 2 }, problems: [] });
    assertEquals(stateFile(`${folder}/b`).read().value, { number: 2 });
    assertEquals(names(folder), ["b"]);
    assertEquals(file.isDeleted, false);
    Deno.removeSync(`${folder}/b`, { recursive: true });
    assertEquals(file.isDeleted, true);
  });
});

Deno.test("StateFile.open() writes to nothing that a link leads to, and takes nothing but a file", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/state.state`;
    Deno.writeTextFileSync(`${folder}/theirs`, "as it was");
    Deno.symlinkSync("theirs", path);
    await write(folder, 1);
    assertEquals(Deno.readTextFileSync(`${folder}/theirs`), "as it was");
    assertEquals(Deno.lstatSync(path).isFile, true);
    assertEquals(names(folder), ["state.state", "state.state.damaged", "theirs"]);
    Deno.removeSync(`${path}.damaged`);
    Deno.removeSync(path);
    Deno.symlinkSync("nowhere", path);
    await assertRejects(() => write(folder, 1), Error, "Cannot use");
    assertEquals(names(folder), ["state.state", "theirs"]);
    Deno.removeSync(path);
    Deno.mkdirSync(path);
    await assertRejects(() => write(folder, 1), Error, "Cannot use");
  });
});

Deno.test("StateFile.open() moves over the state of an older version, once", async () => {
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/state.json`, text(7));
    assertEquals(stateFile(folder).read(), { value: { number: 7 }, problems: [] });
    assertEquals(names(folder), ["state.json"]);
    await write(folder);
    assertEquals(names(folder), ["state.json", "state.state"]);
    Deno.writeTextFileSync(`${folder}/state.json`, text(8));
    assertEquals(stateFile(folder).read(), { value: { number: 7 }, problems: [] });
    await write(folder, 9);
    assertEquals(stateFile(folder).read().value, { number: 9 });
  });
});

Deno.test("StateFile.read() takes a state of an older version of a MiB at most", async () => {
  await withFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/state.json`, text(7).padEnd(1024 * 1024));
    assertEquals(stateFile(folder).read(), { value: { number: 7 }, problems: [] });
  });
});

const DAMAGES: Record<string, string> = {
  empty: "",
  cut: '{"number": 1',
  foreign: "\u0000\ufffd\u0001 not ours",
  "of another kind": '{"name": "x"}',
  "too large": '{"number": 7}'.padEnd(1024 * 1024 + 1),
};

for (const [kind, damage] of Object.entries(DAMAGES)) {
  Deno.test(`StateFile.read() takes an older version's copy when its file is ${kind}`, async () => {
    await withFolder(async (folder) => {
      Deno.writeTextFileSync(`${folder}/state.json`, damage);
      Deno.writeTextFileSync(`${folder}/state.json.bak`, text(1));
      const expected = { value: { number: 1 }, problems: [`${folder}/state.json is damaged`] };
      assertEquals(stateFile(folder).read(), expected);
      using file = stateFile(folder);
      assertEquals(await file.open(), expected);
      assertEquals(stateFile(folder).read(), { value: { number: 1 }, problems: [] });
    });
  });
}

Deno.test("StateFile.read() takes a folder with an older version's name for damage, and its copy", async () => {
  await withFolder((folder) => {
    Deno.mkdirSync(`${folder}/state.json`);
    const damaged = stateFile(folder).read();
    assertEquals([damaged.value, damaged.problems[0]], [
      undefined,
      `${folder}/state.json is damaged`,
    ]);
    Deno.writeTextFileSync(`${folder}/state.json.bak`, text(7));
    assertEquals(stateFile(folder).read().value, { number: 7 });
  });
});

Deno.test("StateFile.read() gives the state before when the last one is damaged", async () => {
  await withFolder(async (folder) => {
    await write(folder, 1, 2, 3);
    const bytes = Deno.readFileSync(`${folder}/state.state`);
    const at = new TextDecoder("latin1").decode(bytes).indexOf('"number":3');
    bytes[at + 9] = 0x34;
    Deno.writeFileSync(`${folder}/state.state`, bytes);
    const { value, problems } = stateFile(folder).read();
    assertEquals(value, { number: 2 });
    assertEquals(problems, [`${folder}/state.state is damaged, and an older state is used`]);
    await write(folder, 5);
    assertEquals(stateFile(folder).read(), { value: { number: 5 }, problems: [] });
  });
});

Deno.test("StateFile.open() keeps what is damaged beside, and starts anew", async () => {
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/state.state`, "not ours");
    const { value, problems } = stateFile(folder).read();
    assertEquals(value, undefined);
    assert(problems.join("; ").endsWith("the damaged file is kept as .damaged"), `${problems}`);
    using file = stateFile(folder);
    assertEquals(await file.open(), { value, problems });
    assertEquals(Deno.readTextFileSync(`${folder}/state.state.damaged`), "not ours");
    assertEquals(file.read(), { value: undefined, problems: [] });
    await file.write(text(1));
    assertEquals(stateFile(folder).read(), { value: { number: 1 }, problems: [] });
  });
});

for (const bytes of [0, 1, 4096, 600_000]) {
  Deno.test(`StateFile.open() tells of a file that a crash has left with ${bytes} zeros`, async () => {
    await withFolder(async (folder) => {
      const path = `${folder}/state.state`;
      Deno.writeFileSync(path, new Uint8Array(bytes));
      using file = stateFile(folder);
      const { value, problems } = await file.open();
      assertEquals(value, undefined);
      assertEquals(problems[0], `${path} is damaged`);
      assertEquals(Deno.statSync(`${path}.damaged`).size, bytes);
      assertEquals(stateFile(folder).read(), { value: undefined, problems: [] });
    });
  });
}

Deno.test("StateFile.open() keeps damaged files of an older version beside, too", async () => {
  await withFolder(async (folder) => {
    for (const name of ["state.json", "state.json.bak"]) {
      Deno.writeTextFileSync(`${folder}/${name}`, name);
    }
    assertEquals(stateFile(folder).read().problems.length, 3);
    await write(folder, 1);
    for (const name of ["state.json", "state.json.bak"]) {
      assertEquals(Deno.readTextFileSync(`${folder}/${name}.damaged`), name);
    }
    assertEquals(stateFile(folder).read(), { value: { number: 1 }, problems: [] });
  });
});

Deno.test("StateFile.read() throws when the system refuses to give the file", async () => {
  await withFolder(async (folder) => {
    for (const name of ["state.json", "state.state"]) {
      await Deno.symlink(name, `${folder}/${name}`);
      assertThrows(() => stateFile(folder).read(), Error, `Cannot read ${folder}/${name}`);
    }
  });
});

Deno.test("StateFile.read() gives again what it has read when the system refuses the file since", async () => {
  await withFolder(async (folder) => {
    await write(folder, 1);
    const file = stateFile(folder);
    assertEquals(file.read().value, { number: 1 });
    const { openSync } = Deno;
    Deno.openSync = () => {
      throw new Deno.errors.PermissionDenied("sealed");
    };
    try {
      assertEquals(file.read(), { value: { number: 1 }, problems: [] });
      assertThrows(() => stateFile(folder).read(), Error, `Cannot read ${folder}/state.state`);
    } finally {
      Deno.openSync = openSync;
    }
  });
});

Deno.test("StateFile.write() makes the folder where there is none, and throws where none can be", async () => {
  await withFolder(async (folder) => {
    using file = stateFile(`${folder}/later`);
    await file.write(text(1));
    assertEquals(file.read().value, { number: 1 });
    assertEquals((Deno.statSync(`${folder}/later`).mode ?? 0) & 0o777, 0o700);
    await assertRejects(() => write("/dev/null/state", 1), Error, "Cannot use /dev/null/state");
  });
});

Deno.test({
  name: "StateFile.open() throws when the folder can only be read",
  // The superuser may write everywhere.
  ignore: Deno.uid() === 0,
  fn: () =>
    withFolder(async (folder) => {
      await Deno.chmod(folder, 0o500);
      await assertRejects(() => write(folder, 2), Error, "Cannot use");
      assertEquals(stateFile(folder).read(), { value: undefined, problems: [] });
    }),
});

/** A tiny file system of its own; `undefined` where it can't be made. */
async function mountTiny(folder: string): Promise<boolean> {
  if (Deno.uid() !== 0) return false;
  const { success } = await run("mount", "-t", "tmpfs", "-o", "size=32k,mode=0700", "tiny", folder);
  return success;
}

async function run(command: string, ...args: string[]): Promise<{ success: boolean }> {
  try {
    return await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output();
  } catch {
    return { success: false };
  }
}

Deno.test("StateFile.write() survives a disk that is full or read-only", async () => {
  await withFolder(async (folder) => {
    if (!await mountTiny(folder)) return console.log("skipped: no file system can be mounted here");
    try {
      await write(folder, 1);
      await fill(`${folder}/filler`);
      using file = stateFile(folder);
      await file.open();
      await assertRejects(() => file.write(text(2).padEnd(8192)), Error, "Cannot write");
      await assertRejects(() => file.checkWritable(8192), Error, "Cannot write");
      assertEquals(stateFile(folder).read(), { value: { number: 1 }, problems: [] });
      await Deno.remove(`${folder}/filler`);
      await file.checkWritable(8192);
      assertEquals(stateFile(folder).read(), { value: { number: 1 }, problems: [] });
      await file.write(text(4));
      assertEquals(stateFile(folder).read(), { value: { number: 4 }, problems: [] });
      file[Symbol.dispose]();
      assert(await remountReadOnly(folder));
      await assertRejects(() => write(folder, 5), Error, "Cannot use");
      assertEquals(stateFile(folder).read(), { value: { number: 4 }, problems: [] });
    } finally {
      await run("umount", folder);
    }
  });
});

Deno.test("StateFile.open() goes on where a new file can't be brought to the disk yet", async () => {
  const { prototype } = Deno.FsFile;
  const { syncData } = prototype;
  await withFolder(async (folder) => {
    using file = stateFile(folder);
    prototype.syncData = () => Promise.reject(new Error("No space left"));
    try {
      assertEquals(await file.open(), { value: undefined, problems: [] });
      await assertRejects(() => file.write(text(1)), Error, `Cannot write ${folder}/state.state`);
    } finally {
      prototype.syncData = syncData;
    }
    await file.write(text(2));
    assertEquals(file.read().value, { number: 2 });
  });
});

/** Tries again while the kernel still has a file open that was closed a moment before. */
async function remountReadOnly(folder: string): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await run("mount", "-o", "remount,ro", folder)).success) return true;
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

Deno.test("StateFile is readable, and one write old at most, after 200 kills", async () => {
  await withFolder(async (folder) => {
    let told = 0;
    for (let kill = 0; kill < 200; kill++) {
      told = await writeUntilKilled(folder, told);
      const { value, problems } = stateFile(folder).read();
      assert(value !== undefined, `${problems}`);
      assert(value.number >= told, `${value.number} after ${told} was written`);
      told = value.number;
    }
  });
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

Deno.test("StateFile.open() brings the folder of a new file to the disk, and no known one", async () => {
  await withFolder(async (folder) => {
    const open = async () => {
      using file = stateFile(folder);
      await file.open();
    };
    assertEquals(await syncedFolders(open), [`${folder}/`]);
    assertEquals(await syncedFolders(open), []);
  });
});
