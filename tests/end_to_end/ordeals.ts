import { assertStood, type Ordeal, type Outcome, undergo } from "./ordeal.ts";

/**
 * Runs ordeals side by side, each with a panel and an agent of its own, and makes a step of each:
 * one after another they would take minutes, for memory comes back when the engine finds the time.
 */
export async function undergoAll(
  context: Deno.TestContext,
  ordeals: readonly Ordeal[],
): Promise<void> {
  const outcomes = ordeals.map((ordeal) => ({ ordeal, outcome: undergo(ordeal) }));
  // One that fails early is told of in its own step.
  await Promise.allSettled(outcomes.map(({ outcome }) => outcome));
  for (const { ordeal, outcome } of outcomes) await step(context, ordeal.title, outcome);
}

async function step(
  context: Deno.TestContext,
  title: string,
  outcome: Promise<Outcome>,
): Promise<void> {
  await context.step(title, async () => assertStood(await outcome));
}
