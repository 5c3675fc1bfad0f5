import { assert, assertEquals } from "@std/assert";
import { onLinux } from "../only_on.ts";
import { denoOutput } from "../deno_output.ts";

/** A process that makes its caches read-only; run apart, since that holds for good. */
const PROGRAM = `
import { makeRuntimeCachesReadOnly } from "${new URL(
  "../../lib/sandbox/runtime_caches.ts",
  import.meta.url,
)}";
/** Handles that write, and memory that is shared with a file. */
function ways() {
  const handles = [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      const path = Deno.readLinkSync("/proc/self/fd/" + name);
      if (!/_cache_v\\d/.test(path) || path.includes("-shm")) return false;
      const flags = /flags:\\s+(\\d+)/.exec(Deno.readTextFileSync("/proc/self/fdinfo/" + name))[1];
      return (parseInt(flags, 8) & 3) !== 0;
    } catch {
      return false;
    }
  });
  const shared = Deno.readTextFileSync("/proc/self/maps").split("\\n")
    .filter((line) => /^\\S+ ...s .*_cache_v\\d+(-wal)?$/.test(line));
  return [handles.length, shared.length];
}
/** How many handles there are, and how many of the caches a program would inherit. */
function handles() {
  const all = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => {
    try {
      const isCache = /_cache_v\\d/.test(Deno.readLinkSync("/proc/self/fd/" + name));
      const flags = /flags:\\s+(\\d+)/.exec(Deno.readTextFileSync("/proc/self/fdinfo/" + name))[1];
      return isCache && (parseInt(flags, 8) & 0o2000000) === 0;
    } catch {
      return false;
    }
  });
  return [all.length, all.filter((isInherited) => isInherited).length];
}
const before = ways();
const [count] = handles();
makeRuntimeCachesReadOnly();
const after = ways();
const [countAfter, inherited] = handles();
// It goes on, and loads modules whose code the caches would keep.
const { posix } = await import("node:path");
const { parseLoadavg } = await import("${new URL("../../lib/parse/uptime.ts", import.meta.url)}");
console.log(JSON.stringify({ before, after, more: countAfter - count, inherited, works: posix.sep === "/" && !!parseLoadavg }));
`;

onLinux.test("makeRuntimeCachesReadOnly() leaves no way to write the runtime's caches", async () => {
  const program = Deno.makeTempFileSync({ suffix: ".js" });
  Deno.writeTextFileSync(program, PROGRAM);
  const output = await denoOutput("run -A --no-prompt --no-check", [program]);
  Deno.removeSync(program);
  const { before, after, works, more, inherited } = JSON.parse(output);
  assert(before[0] > 0, "the runtime has caches");
  assertEquals([after, works, more, inherited], [[0, 0], true, 0, 0]);
});
