/**
 * Puts back at the end of the block what these properties are now, which a test replaces:
 * `using _ = restoring(Deno, "stat")`.
 */
export function restoring<T extends object>(object: T, ...keys: PropertyKey[]): Disposable {
  const before = keys.map((key) => [key, Object.getOwnPropertyDescriptor(object, key)] as const);
  return {
    [Symbol.dispose]() {
      for (const [key, descriptor] of before) {
        if (descriptor === undefined) Reflect.deleteProperty(object, key);
        else Object.defineProperty(object, key, descriptor);
      }
    },
  };
}
