import { delay } from "@std/async/delay";

/** Paths of what this process has open in a folder; none where the system does not tell. */
export function openBelow(folder: string): string[] {
  if (Deno.build.os !== "linux") return [];
  return [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      const path = Deno.readLinkSync(`/proc/self/fd/${name}`);
      return path.startsWith(`${folder}/`) ? [path] : [];
    } catch {
      return []; // It was closed meanwhile.
    }
  });
}

/** How many files this process has open once that stands still: the runtime closes its own late. */
export async function settledFiles(): Promise<number> {
  const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
  let last = count();
  for (let same = 0; same < 10; await delay(5)) {
    same = count() === last ? same + 1 : 0;
    last = count();
  }
  return last;
}
