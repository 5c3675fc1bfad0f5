import { assertEquals } from "@std/assert";
import { explainError } from "../../lib/cli/output.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

Deno.test("explainError() says how to give the runtime's rights, however deep the cause lies", () => {
  const cause = new Deno.errors.NotCapable("Requires read access");
  assertEquals(
    explainError(new Error("Cannot open x", { cause })),
    "Cannot open x: Requires read access; run it with --allow-all",
  );
  assertEquals(explainError(cause), "Requires read access; run it with --allow-all");
  assertEquals(explainError(new Error("Cannot open x")), "Cannot open x");
});

Deno.test("explainError() shows a mistake of the user's without its causes", () => {
  assertEquals(
    explainError(new UsageError("Cannot use x", { cause: new Error("y") })),
    "Cannot use x",
  );
});
