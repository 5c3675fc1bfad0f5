import { assert } from "@std/assert";
import { delay } from "@std/async/delay";

/** A process, as `/proc` tells. */
export interface LivingProcess {
  pid: number;
  parent: number;
  words: string;
}

/** All processes that live, with their command lines. */
export function livingProcesses(): LivingProcess[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z") return [];
      const words = Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " ").trim();
      return [{ pid: Number(name), parent: Number(parent), words }];
    } catch {
      return [];
    }
  });
}

/** Children of this process that are not yet buried, dead ones included. */
export function childrenOfThis(): number[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const [, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return Number(parent) === Deno.pid ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Living processes whose command line has `mark` in it. */
export function marked(mark: string): LivingProcess[] {
  return livingProcesses().filter(({ words }) => words.includes(mark));
}

/** A length of sleep that no other process has: it tells a test's processes from all others. */
export function newMark(): string {
  return `${10_000 + Math.floor(Math.random() * 10_000)}.${Math.floor(Math.random() * 1e9)}1`;
}

/** Looks again and again until it is so. */
export async function eventually(
  check: () => boolean,
  options: { withinMs?: number; told?: () => string } = {},
): Promise<void> {
  const { withinMs = 10_000, told } = options;
  for (const end = performance.now() + withinMs; !check();) {
    assert(performance.now() < end, `it did not happen in time${told ? `: ${told()}` : ""}`);
    await delay(10);
  }
}
