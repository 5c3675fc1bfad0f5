import { restoring } from "./restoring.ts";

/** Puts other members in the place of an object's own until the block ends: `using _uid = …`. */
export function replaced<T extends object>(object: T, members: Partial<T>): Disposable {
  const restored = restoring(object, ...Object.keys(members));
  for (const [name, value] of Object.entries(members)) {
    // Not by assignment, which does nothing to what the runtime computes.
    Object.defineProperty(object, name, { value, configurable: true, writable: true });
  }
  return restored;
}

/** Files have these texts until the block ends; a file of which it has none is read as it is. */
export function withTexts(textOf: (path: string) => string | undefined): Disposable {
  const { readTextFileSync } = Deno;
  return replaced(Deno, {
    readTextFileSync: (path) => textOf(String(path)) ?? readTextFileSync(path),
  });
}
