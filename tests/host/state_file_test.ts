import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { StateFile } from "../../lib/host/state_file.ts";

interface Numbered {
  number: number;
}

function parse(text: string): Numbered {
  const { number } = JSON.parse(text);
  if (!Number.isInteger(number)) throw new SyntaxError("no number");
  return { number };
}

/** A state file in a folder of its own, which is gone afterwards. */
async function withFolder(use: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "state-file-" });
  try {
    await use(folder);
  } finally {
    await Deno.chmod(folder, 0o700);
    await Deno.remove(folder, { recursive: true });
  }
}

function open(folder: string): StateFile<Numbered> {
  return new StateFile(folder, { name: "state.json", parse });
}

function text(number: number): string {
  return JSON.stringify({ number });
}

Deno.test("StateFile.read() gives what was written, and nothing where there is nothing", async () => {
  await withFolder(async (folder) => {
    assertEquals(open(folder).read(), { value: undefined, troubles: [] });
    await open(folder).write(text(1));
    await open(folder).write(text(2));
    assertEquals(open(folder).read(), { value: { number: 2 }, troubles: [] });
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assertEquals(names, ["state.json", "state.json.bak"]);
    for (const name of names) {
      assertEquals((Deno.statSync(`${folder}/${name}`).mode ?? 0) & 0o777, 0o600);
    }
  });
});

Deno.test("StateFile.write() writes to nothing that a link leads to", async () => {
  await withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/theirs`, "as it was");
    Deno.symlinkSync("theirs", `${folder}/state.json.new`);
    await open(folder).write(text(1));
    assertEquals(Deno.readTextFileSync(`${folder}/theirs`), "as it was");
    assertEquals(open(folder).read().value, { number: 1 });
    assert(Deno.lstatSync(`${folder}/state.json`).isFile);
  });
});

const DAMAGES: Record<string, string> = {
  empty: "",
  cut: '{"number": 1',
  foreign: "\u0000\ufffd\u0001 not ours",
  "of another kind": '{"name": "x"}',
  "too large": " ".repeat(2 * 1024 * 1024) + '{"number": 7}',
};

for (const [kind, damage] of Object.entries(DAMAGES)) {
  Deno.test(`StateFile.read() takes the copy when the file is ${kind}, and keeps it beside`, async () => {
    await withFolder(async (folder) => {
      await open(folder).write(text(1));
      await open(folder).write(text(2));
      await Deno.writeTextFile(`${folder}/state.json`, damage);
      const file = open(folder);
      assertEquals(file.read(), {
        value: { number: 1 },
        troubles: [
          `${folder}/state.json is damaged`,
          `${folder}/state.json.bak is used, the copy from before`,
        ],
      });
      await file.write(text(3));
      assertEquals(await Deno.readTextFile(`${folder}/state.json.damaged`), damage);
      assertEquals(open(folder).read(), { value: { number: 3 }, troubles: [] });
      await Deno.remove(`${folder}/state.json`);
      assertEquals(open(folder).read().value, { number: 1 }, "the good copy is not lost");
    });
  });
}

Deno.test("StateFile.read() says that all starts anew when both are damaged", async () => {
  await withFolder(async (folder) => {
    for (const name of ["state.json", "state.json.bak"]) {
      Deno.writeTextFileSync(`${folder}/${name}`, name);
    }
    const file = open(folder);
    const { value, troubles } = file.read();
    assertEquals(value, undefined);
    assert(troubles.join("; ").endsWith("is kept beside it as .damaged"), troubles.join("; "));
    await file.write(text(1));
    for (const name of ["state.json", "state.json.bak"]) {
      assertEquals(Deno.readTextFileSync(`${folder}/${name}.damaged`), name);
    }
    assertEquals(open(folder).read(), { value: { number: 1 }, troubles: [] });
  });
});

Deno.test("StateFile.read() throws when the system refuses to give the file", async () => {
  await withFolder(async (folder) => {
    await Deno.symlink("state.json", `${folder}/state.json`);
    assertThrows(() => open(folder).read(), Error, `Cannot read ${folder}/state.json`);
  });
});

Deno.test("StateFile.write() throws where there is no folder, and works when there is", async () => {
  await withFolder(async (folder) => {
    const file = open(`${folder}/later`);
    await assertRejects(
      () => file.write(text(1)),
      Error,
      `Cannot write ${folder}/later/state.json`,
    );
    await Deno.mkdir(`${folder}/later`);
    await file.write(text(1));
    assertEquals(file.read().value, { number: 1 });
  });
});

Deno.test({
  name: "StateFile.write() leaves the file as it was when the folder can only be read",
  // The superuser may write everywhere.
  ignore: Deno.uid() === 0,
  fn: () =>
    withFolder(async (folder) => {
      const file = open(folder);
      await file.write(text(1));
      await Deno.chmod(folder, 0o500);
      await assertRejects(() => file.write(text(2)), Error, "Cannot write");
      assertEquals(file.read(), { value: { number: 1 }, troubles: [] });
    }),
});

/** A tiny file system of its own; `undefined` where it can't be made. */
async function mountTiny(folder: string): Promise<boolean> {
  if (Deno.uid() !== 0) return false;
  const { success } = await run("mount", "-t", "tmpfs", "-o", "size=16k,mode=0700", "tiny", folder);
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
      const file = open(folder);
      await file.write(text(1));
      await file.write(text(2));
      await fill(`${folder}/filler`);
      await assertRejects(() => file.write(text(3)), Error, "Cannot write");
      assertEquals(open(folder).read(), { value: { number: 2 }, troubles: [] });
      await Deno.remove(`${folder}/filler`);
      await file.write(text(4));
      assertEquals(open(folder).read(), { value: { number: 4 }, troubles: [] });
      await run("mount", "-o", "remount,ro", folder);
      await assertRejects(() => file.write(text(5)), Error, "Cannot write");
      assertEquals(open(folder).read(), { value: { number: 4 }, troubles: [] });
    } finally {
      await run("umount", folder);
    }
  });
});

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
      const { value } = open(folder).read();
      assert(value !== undefined, "there is always one that can be read");
      assert(value.number >= told - 1, `${value.number} after ${told} was written`);
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
