import { assertEquals } from "@std/assert";
import { attempt, errorCode } from "../lib/attempt.ts";

Deno.test("attempt() returns what the function does, and undefined when it throws", () => {
  assertEquals(attempt(() => 0), 0);
  assertEquals(attempt(() => Deno.readTextFileSync("/no/such/file")), undefined);
});

Deno.test("errorCode() gives the code of a system's error, and nothing for any other", () => {
  try {
    Deno.readTextFileSync("/no/such/file");
  } catch (error) {
    assertEquals(errorCode(error), "ENOENT");
  }
  for (const other of [new Error("odd"), "ENOENT", { code: "ENOENT" }, undefined]) {
    assertEquals(errorCode(other), "");
  }
});
