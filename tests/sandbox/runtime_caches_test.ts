import { assert, assertEquals } from "@std/assert";
import { onLinux } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";
import { TempFolder } from "../temp_folder.ts";

const LIB = new URL("../../lib/", import.meta.url);

/** A process that makes its caches read-only; run apart, since that holds for good. */
const PROGRAM = `
import { makeRuntimeCachesReadOnly } from "${LIB}sandbox/runtime_caches.ts";
/** The handles of the caches: their numbers, what they are, and their flags. */
function caches() {
  return [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      const path = Deno.readLinkSync("/proc/self/fd/" + name);
      const flags = /flags:\\s+(\\d+)/.exec(Deno.readTextFileSync("/proc/self/fdinfo/" + name))[1];
      return /_cache_v\\d/.test(path) ? [{ name, path, flags: parseInt(flags, 8) }] : [];
    } catch {
      return [];
    }
  });
}
/** Handles that write, and memory that is shared with a file. */
function ways() {
  const shared = Deno.readTextFileSync("/proc/self/maps").split("\\n")
    .filter((line) => /^\\S+ ...s .*_cache_v\\d+(-wal|-shm)?$/.test(line));
  return [caches().filter(({ flags }) => (flags & 3) !== 0).length, shared.length];
}
/** How many handles there are, and how many of the caches a program would inherit. */
function handles() {
  const inherited = caches().filter(({ flags }) => (flags & 0o2000000) === 0);
  return [[...Deno.readDirSync("/proc/self/fd")].length, inherited.length];
}
/** Of the indexes of journals, those that this process can lock, which is what others wait for. */
const { symbols } = Deno.dlopen("libc.so.6", {
  fcntl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
});
function lockable() {
  const F_SETLK = 6;
  // A struct flock of a write lock on all of it.
  const lock = new Uint8Array(new Int16Array([1, 0, ...Array(14).fill(0)]).buffer);
  const indexes = caches().filter(({ path }) => path.includes("-shm"));
  return indexes.filter(({ name }) => symbols.fcntl(Number(name), F_SETLK, lock) === 0).length;
}
const couldLock = Deno.args[0] === "first" ? lockable() : undefined;
const before = ways();
const [count] = handles();
makeRuntimeCachesReadOnly();
const after = ways();
const [countAfter, inherited] = handles();
const canLock = lockable();
const held = Deno.readTextFileSync("/proc/locks").split("\\n")
  .filter((line) => line.includes("POSIX") && line.split(/\\s+/)[4] === String(Deno.pid)).length;
// It goes on, and loads modules whose code the caches would keep.
const { posix } = await import("node:path");
const { parseLoadavg } = await import("${LIB}parse/uptime.ts");
console.log(JSON.stringify({ before, after, couldLock, canLock, held, more: countAfter - count, inherited, works: posix.sep === "/" && !!parseLoadavg }));
`;

onLinux.test("makeRuntimeCachesReadOnly() leaves no way to write the runtime's caches", async () => {
  using folder = new TempFolder();
  const program = `${folder.path}/program.js`;
  Deno.writeTextFileSync(program, PROGRAM);
  const run = async (...words: string[]) =>
    JSON.parse(await denoOutput("run -A --no-prompt --no-check", [program, ...words]));
  const { before, after, works, more, inherited, canLock, held } = await run();
  assert(before[0] > 0, "the runtime has caches");
  assertEquals([after, works, more, inherited], [[0, 0], true, 0, 0]);
  assertEquals([canLock, held], [0, 0]);
  // Without it, and in a folder of its own, since others would wait for it.
  const env = { DENO_DIR: `${folder.path}/cache` };
  const output = await denoOutput("run -A --no-check", [program, "first"], { env });
  assert(JSON.parse(output).couldLock > 0, output);
});
