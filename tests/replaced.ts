/** Puts other members in the place of an object's own until the block ends: `using _uid = …`. */
export function replaced<T extends object>(object: T, members: Partial<T>): Disposable {
  const before = new Map(
    Object.keys(members).map((name) => [name, Object.getOwnPropertyDescriptor(object, name)]),
  );
  for (const [name, value] of Object.entries(members)) {
    // Not by assignment, which does nothing to what the runtime computes.
    Object.defineProperty(object, name, { value, configurable: true, writable: true });
  }
  return {
    [Symbol.dispose]() {
      for (const [name, descriptor] of before) {
        if (descriptor === undefined) Reflect.deleteProperty(object, name);
        else Object.defineProperty(object, name, descriptor);
      }
    },
  };
}
