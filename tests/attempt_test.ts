import { assertEquals } from "@std/assert";
import { attempt } from "../lib/attempt.ts";

Deno.test("attempt() returns what the function does, and undefined when it throws", () => {
  assertEquals(attempt(() => 0), 0);
  assertEquals(attempt(() => Deno.readTextFileSync("/no/such/file")), undefined);
});
