/**
 * Preloaded by `.ci/run`: a test that hangs fails by its name, and the others go on, where the whole run
 * would end without a result. A quarter of an hour is longer than any takes, however busy the machine is.
 */
const LIMIT = { timeout: 900_000 };

/** Both `Deno.test({ … })` and `Deno.test("name", fn)`, with and without options of their own. */
function withLimit(args: readonly unknown[]): unknown[] {
  if (args.some((arg) => typeof arg === "object")) {
    return args.map((arg) => typeof arg === "object" ? { ...LIMIT, ...arg } : arg);
  }
  return [...args.slice(0, -1), LIMIT, ...args.slice(-1)];
}

Object.assign(Deno, {
  test: new Proxy(Deno.test, {
    apply: (test, self, args: unknown[]) => Reflect.apply(test, self, withLimit(args)),
  }),
});
