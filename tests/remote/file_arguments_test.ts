import { assertEquals, assertThrows } from "@std/assert";
import { FileArguments } from "../../lib/remote/file_arguments.ts";

// No test may ask for an operation on the root folder itself: should its check be broken, the test
// would delete the machine that it runs on. What is checked is the path, before it gets anywhere.

function pathOf(path: string): string {
  return new FileArguments({ path }, "/home/me").pathBelowRoot("path");
}

Deno.test("FileArguments.pathBelowRoot() refuses the root folder, however it is written", () => {
  const roots = ["", "/", "//", "/.", "/..", "/tmp/..", "/a/b/../../..", "~/../../../../.."];
  for (const path of roots) {
    assertThrows(() => pathOf(path), TypeError, "operation not permitted", path);
  }
});

Deno.test("FileArguments.pathBelowRoot() gives all other paths without dots and slashes to spare", () => {
  assertEquals(pathOf("/a//b/./c/../d/"), "/a/b/d");
  assertEquals(pathOf("~/x"), "/home/me/x");
  assertEquals(pathOf("~"), "/home/me");
});
