import { assertEquals } from "@std/assert";

const AT_A_TIME = 6;
/** Steps can only run beside each other without the runner's look at what each leaves open. */
const ALONGSIDE = { sanitizeOps: false, sanitizeResources: false, sanitizeExit: false };

/** Runs a table's rows a few at a time, each as a step by its first column. */
export async function together<Row extends readonly [string, ...unknown[]]>(
  t: Deno.TestContext,
  rows: readonly Row[],
  run: (row: Row) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < rows.length; from += AT_A_TIME) {
    const steps = rows.slice(from, from + AT_A_TIME).map((row) =>
      t.step({ name: row[0], fn: () => run(row), ...ALONGSIDE })
    );
    assertEquals((await Promise.all(steps)).includes(false), false);
  }
}
