import { assert } from "@std/assert";
import { PATIENCE_MS } from "../patience.ts";

/** The real clock: a test may have put a fake one in its place when it waits for a process. */
const { setTimeout } = globalThis;
const now = performance.now.bind(performance);

/** A process, as `/proc` tells. */
export interface LivingProcess {
  pid: number;
  parent: number;
  words: string;
}

/** All processes that live, with their command lines; none where the system does not tell. */
export function livingProcesses(): LivingProcess[] {
  if (Deno.build.os !== "linux") return [];
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

/** Living processes whose command line has `mark` in it. */
export function marked(mark: string): LivingProcess[] {
  return livingProcesses().filter(({ words }) => words.includes(mark));
}

/** An agent's helper shell. */
export function shellOf(agent: number): LivingProcess | undefined {
  return marked("komari-agent-deno-shell").find(({ parent }) => parent === agent);
}

/** A length of sleep that no other process has: it tells a test's processes from all others. */
export function newMark(): string {
  return `${10_000 + Math.floor(Math.random() * 10_000)}.${Math.floor(Math.random() * 1e9)}1`;
}

/** Looks again and again until it is so. */
export async function eventually(check: () => boolean, told?: () => string): Promise<void> {
  for (const end = now() + PATIENCE_MS; !check();) {
    assert(now() < end, `it did not happen in time${told ? `: ${told()}` : ""}`);
    await new Promise((resolve) => void setTimeout(resolve, 10));
  }
}
