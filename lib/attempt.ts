/** Returns the result of a function; `undefined` when it throws, where the reason does not matter. */
export function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
