import { assert, assertEquals } from "@std/assert";
import { onLinux } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";

/** Runs a script with the engine's flags and gives what it prints, from JSON. */
async function run(script: string, flags: string): Promise<Record<string, unknown>> {
  return JSON.parse(await denoOutput("eval --no-config", [`--v8-flags=${flags}`, script]));
}

const MODULE = new URL("../../lib/host/memory_release.ts", import.meta.url).href;
/** In kB, as the kernel counts the pages themselves: `status` is behind by some for each processor. */
const MEMORY = `const memory = () => {
  const text = Deno.readTextFileSync("/proc/self/smaps_rollup");
  const kb = (name) => Number(new RegExp("^" + name + ":\\\\s+(\\\\d+)", "m").exec(text)[1]);
  return { file: kb("Rss") - kb("Anonymous"), anonymous: kb("Anonymous") + kb("Swap") };
};`;

onLinux.test("openMemoryRelease() gives back garbage and pages of the program's file, and all goes on", async () => {
  const { before, after, works, maps } = await run(
    `${MEMORY}
      import { openMemoryRelease } from ${JSON.stringify(MODULE)};
      const release = openMemoryRelease();
      let garbage = Array.from({ length: 400_000 }, (_, n) => ({ n }));
      garbage = undefined;
      const before = memory();
      release();
      const after = memory();
      const works = JSON.stringify(await crypto.subtle.digest("SHA-1", new Uint8Array(3))) + "é".normalize("NFD").length;
      const links = Array.from(Deno.readDirSync("/proc/self/fd"), ({ name }) => {
        try {
          return Deno.readLinkSync("/proc/self/fd/" + name);
        } catch {
          return ""; // The folder itself, as it was read.
        }
      });
      const maps = links.filter((path) => path.endsWith("/smaps"));
      console.log(JSON.stringify({ before, after, works, maps }));`,
    "--expose-gc,--single-threaded-gc",
  );
  const kb = (value: unknown, name: string) =>
    Number(typeof value === "object" && value !== null ? Reflect.get(value, name) : NaN);
  assert(kb(after, "file") < kb(before, "file") / 2, JSON.stringify({ before, after }));
  assert(kb(after, "anonymous") < kb(before, "anonymous") - 5_000);
  assertEquals(works, "{}2");
  assertEquals(maps, [], "the map of this process is closed");
});

/** Buffers of a process, and when it opens and does the release. */
interface Buffers {
  readonly bytes: number;
  readonly before?: string;
  readonly after: string;
}

/** How much a process gives back of 8 MB of buffers, between small ones that stay. */
async function returnedKb({ bytes, before = "", after }: Buffers): Promise<number> {
  const memory = await run(
    `${MEMORY}
    import { openMemoryRelease } from ${JSON.stringify(MODULE)};
    ${before}
    const small = [], large = [];
    for (let left = 8_000_000; left > 0; left -= ${bytes}) {
      large.push(new Uint8Array(${bytes}).fill(1));
      small.push(new Uint8Array(64).fill(1));
    }
    const before = memory().anonymous;
    large.length = 0;
    ${after}
    console.log(JSON.stringify({ before, after: memory().anonymous, kept: small.length }));`,
    "--expose-gc,--single-threaded-gc",
  );
  return Number(memory.before) - Number(memory.after);
}

/** Requires that it is as much as expected; a machine that is short of memory may disturb some attempts. */
async function requireReturned(buffers: Buffers, isExpected: (kb: number) => boolean) {
  const seen: number[] = [];
  while (seen.length < 5 && !seen.some(isExpected)) seen.push(await returnedKb(buffers));
  assert(
    seen.some(isExpected),
    `${seen.join(", ")} kB were returned by ${JSON.stringify(buffers)}`,
  );
}

onLinux.test("openMemoryRelease() makes the C library return large buffers as soon as they are freed", async () => {
  const sizes = { bytes: 80 * 1024, after: "gc(); gc();" };
  await requireReturned({ ...sizes, before: "openMemoryRelease();" }, (kb) => kb > 6_000);
  await requireReturned(sizes, (kb) => kb < 2_000);
});

onLinux.test("openMemoryRelease() makes the C library return small buffers each time", async () => {
  const sizes = { bytes: 40 * 1024, before: "const release = openMemoryRelease(); release();" };
  await requireReturned({ ...sizes, after: "release();" }, (kb) => kb > 6_000);
  await requireReturned({ ...sizes, after: "gc(); gc();" }, (kb) => kb < 2_000);
});

onLinux.test("openMemoryRelease() gives back garbage each time", async () => {
  const memory = await run(
    `${MEMORY}
      import { openMemoryRelease } from ${JSON.stringify(MODULE)};
      const release = openMemoryRelease();
      release();
      let kept = Array.from({ length: 400_000 }, (_, n) => ({ n }));
      release();
      const before = memory().anonymous;
      kept = undefined;
      release();
      console.log(JSON.stringify({ before, after: memory().anonymous }));`,
    "--expose-gc,--single-threaded-gc",
  );
  assert(Number(memory.after) < Number(memory.before) - 5_000, JSON.stringify(memory));
});

onLinux.test("openMemoryRelease() closes each call that changes memory by address, when it has released", async () => {
  const { before, after } = await run(
    `import { openMemoryRelease } from ${JSON.stringify(MODULE)};
      const open = new Map();
      const { dlopen } = Deno;
      Deno.dlopen = (path, symbols) => {
        const library = dlopen(path, symbols);
        open.set(library, Object.keys(symbols));
        const close = library.close.bind(library);
        library.close = () => { close(); open.delete(library); };
        return library;
      };
      const callable = () => [...open.values()].flat().sort();
      const release = openMemoryRelease();
      const before = callable();
      release();
      console.log(JSON.stringify({ before, after: callable() }));`,
    "--no-opt",
  );
  assertEquals(before, ["madvise", "malloc_trim", "mallopt"]);
  assertEquals(after, ["malloc_trim"]);
});
