import { assertEquals, assertThrows } from "@std/assert";
import { LocalHost } from "../../lib/host/local_host.ts";

/** Writes a file, and hands out a source of it. */
async function withFile(
  use: (path: string, source: ReturnType<LocalHost["open"]>) => void | Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await use(path, new LocalHost().open(path));
  } finally {
    await Deno.remove(path);
  }
}

/** Numbered lines, so that a gap or a repetition shows. */
function lines(bytes: number): string {
  let text = "";
  for (let at = 0; text.length < bytes; at++) text += `${at} line\n`;
  return text.slice(0, bytes);
}

Deno.test("FileSource.read() reads all of a file that is longer than its buffer", async () => {
  await withFile((path, source) => {
    for (const bytes of [10, 4096, 32 * 1024, 32 * 1024 + 1, 100_000, 3]) {
      Deno.writeTextFileSync(path, lines(bytes));
      assertEquals(source.read(), lines(bytes));
    }
  });
});

Deno.test("FileSource.read() reads kernel text of more than a page", () => {
  // Neither changes while the machine runs.
  for (const path of ["/proc/kallsyms", "/proc/crypto", "/proc/ioports", "/proc/filesystems"]) {
    let whole: string;
    try {
      whole = Deno.readTextFileSync(path);
    } catch {
      continue; // This kernel has none.
    }
    if (whole.length < 4 * 1024 * 1024) {
      assertEquals(new LocalHost().open(path).read(), whole, path);
    }
  }
});

Deno.test("FileSource.read() refuses a file of more than 8 MiB", async () => {
  await withFile((path, source) => {
    const limit = 8 * 1024 * 1024;
    Deno.truncateSync(path, limit - 1);
    assertEquals(source.read()?.length, limit - 1);
    Deno.truncateSync(path, limit + 1);
    const error = assertThrows(() => source.read(), Error, `Cannot read ${path}`);
    assertEquals(error.cause instanceof RangeError, true);
    Deno.writeTextFileSync(path, "short again");
    assertEquals(source.read(), "short again");
  });
});

Deno.test("FileSource.readFirstLine() stops at the first line's end", async () => {
  await withFile((path, source) => {
    for (const text of ["one\ntwo\n", "one", "\ntwo", ""]) {
      Deno.writeTextFileSync(path, text);
      assertEquals(source.readFirstLine(), text.split("\n")[0]);
    }
  });
});

Deno.test("FileSource has no data without its file, and throws for one that can't be read", () => {
  const host = new LocalHost();
  assertEquals(host.open("/nonexistent/file").read(), undefined);
  assertEquals(host.open("/nonexistent/file").readFirstLine(), undefined);
  assertThrows(() => host.open("/proc").read(), Error, "Cannot read /proc");
});
