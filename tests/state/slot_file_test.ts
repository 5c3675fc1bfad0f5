import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { SlotFile } from "../../lib/state/slot_file.ts";
import { openBelow } from "../open_below.ts";

const SLOT_BYTES = 256 * 1024;

/** A slot file in a folder of its own, both gone afterwards. */
async function withFile(use: (path: string) => Promise<void> | void): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "slot-file-" });
  try {
    await use(`${folder}/state`);
    assertEquals(openBelow(folder), [], "nothing stays open");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function open(path: string): SlotFile {
  return new SlotFile(Deno.openSync(path, { read: true, write: true, create: true }));
}

async function write(path: string, ...texts: readonly string[]): Promise<void> {
  using file = open(path);
  file.read();
  for (const text of texts) await file.write(text);
}

function read(path: string): ReturnType<SlotFile["read"]> {
  using file = open(path);
  return file.read();
}

/** Changes bytes of the file. */
function damage(path: string, offset: number, text: string): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  file.writeSync(new TextEncoder().encode(text));
}

Deno.test("SlotFile.read() gives the text that was written last, and nothing where there is none", async () => {
  await withFile(async (path) => {
    assertEquals(read(path), { text: undefined, damaged: 2 });
    {
      using file = open(path);
      await file.markNew();
    }
    assertEquals(read(path), { text: undefined, damaged: 0 });
    for (const text of ["one", "", "much longer than the one before", "größer"]) {
      await write(path, text);
      assertEquals(read(path), { text, damaged: 0 });
    }
    await write(path, "a", "b", "c");
    assertEquals(read(path).text, "c");
  });
});

Deno.test("SlotFile.read() gives the text before when the last one is damaged at any byte", async () => {
  await withFile(async (path) => {
    await write(path, "first", "second");
    const whole = Deno.readFileSync(path);
    const length = new TextDecoder().decode(whole.subarray(0, 64)).indexOf("second") + 6;
    for (let at = 0; at < length; at++) {
      const damaged = Uint8Array.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      Deno.writeFileSync(path, damaged);
      assertEquals(read(path), { text: "first", damaged: 1 }, `byte ${at}`);
    }
  });
});

Deno.test("SlotFile.read() gives the text before when a write was cut off anywhere", async () => {
  await withFile(async (path) => {
    await write(path, "first", "second", "third");
    const before = Deno.readFileSync(path);
    await write(path, "the fourth, which is longer");
    const after = Deno.readFileSync(path);
    const end = new TextDecoder().decode(after.subarray(0, 128)).indexOf("longer") + 6;
    for (let at = 0; at < end; at++) {
      const cut = Uint8Array.from(before);
      cut.set(after.subarray(0, at));
      Deno.writeFileSync(path, cut);
      const { text } = read(path);
      assert(text === "third" || text === "the fourth, which is longer", `${at}: ${text}`);
    }
  });
});

Deno.test("SlotFile.read() counts damaged slots when no text is whole", async () => {
  await withFile(async (path) => {
    await write(path, "first", "second");
    damage(path, 70, " ");
    damage(path, 0, "x");
    damage(path, SLOT_BYTES, "x");
    assertEquals(read(path), { text: undefined, damaged: 2 });
    Deno.writeTextFileSync(path, `{"version": 1}`);
    assertEquals(read(path), { text: undefined, damaged: 1 });
    // A length that no slot has.
    Deno.writeTextFileSync(path, "komari-agent-state-1 1 999999 0\n");
    assertEquals(read(path), { text: undefined, damaged: 1 });
  });
});

Deno.test("SlotFile.read() takes no text from bytes that were not written by it", () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/state`;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      Deno.writeFileSync(path, bytes);
      assertEquals(read(path).text, undefined);
    }),
    { numRuns: 100 },
  );
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("SlotFile.write() keeps both slots within their bounds", async () => {
  await withFile(async (path) => {
    const text = "x".repeat(SLOT_BYTES - 64);
    await write(path, "small", text);
    assertEquals(read(path), { text, damaged: 0 });
    await assertRejects(() => write(path, `${text}x`), RangeError, "Cannot keep");
    assertEquals(read(path), { text, damaged: 0 });
    await write(path, "small again");
    assertEquals(read(path).text, "small again");
    assert(Deno.statSync(path).size <= 2 * SLOT_BYTES);
  });
});

Deno.test("SlotFile.write() goes on from what another handle has written when that was read", async () => {
  await withFile(async (path) => {
    using one = open(path);
    using other = open(path);
    await one.write("1");
    other.read();
    await other.write("2");
    one.read();
    await one.write("3");
    assertEquals(read(path).text, "3");
  });
});

Deno.test("SlotFile.checkWritable() leaves the newest text", async () => {
  await withFile(async (path) => {
    using file = open(path);
    for (const text of ["1", "2", "3"]) {
      await file.write(text);
      await file.checkWritable(8192);
      assertEquals(read(path), { text, damaged: 0 });
    }
  });
});

Deno.test("SlotFile.isDeleted says when the file has no name any more", async () => {
  await withFile((path) => {
    using file = open(path);
    assertEquals(file.isDeleted, false);
    Deno.removeSync(path);
    assertEquals(file.isDeleted, true);
  });
});

Deno.test("SlotFile brings each text to the disk before it goes on", async () => {
  const { prototype } = Deno.FsFile;
  const { syncData } = prototype;
  /** What the file held each time. */
  const synced: ReturnType<SlotFile["read"]>[] = [];
  try {
    await withFile(async (path) => {
      prototype.syncData = async function (): Promise<void> {
        await syncData.call(this);
        synced.push(read(path));
      };
      using file = open(path);
      await file.markNew();
      assertEquals(synced, [{ text: undefined, damaged: 0 }]);
      await file.write("one");
      assertEquals(synced.slice(1), [{ text: "one", damaged: 0 }]);
      await file.checkWritable(10);
      assertEquals(synced.length, 3);
    });
  } finally {
    prototype.syncData = syncData;
  }
});

Deno.test("SlotFile.write() writes what other versions read, with the checksum that gzip has", async () => {
  await withFile(async (path) => {
    {
      using file = open(path);
      await file.markNew();
      await file.write("one");
    }
    const text = Deno.readTextFileSync(path);
    assertEquals(text.slice(0, 40).replace(/\0+$/, ""), "komari-agent-state-1 0 0 2784036036\n");
    assertEquals(text.slice(SLOT_BYTES), "komari-agent-state-1 1 3 2138871542\none");
  });
});
