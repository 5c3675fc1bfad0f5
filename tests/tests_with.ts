/** Tests with something of their own each, such as a clock or a folder, which goes at their end. */
export function testsWith<T extends object>(
  make: () => T | Promise<T>,
  options: Omit<Deno.TestDefinition, "name" | "fn"> = {},
): { test(name: string, fn: (it: T) => unknown): void } {
  return {
    test(name: string, fn: (it: T) => unknown): void {
      Deno.test(name, options, async () => {
        const it = await make();
        await using _it = isDisposable(it) ? it : undefined;
        await fn(it);
      });
    },
  };
}

function isDisposable(it: object): it is Disposable | AsyncDisposable {
  return Symbol.dispose in it || Symbol.asyncDispose in it;
}
