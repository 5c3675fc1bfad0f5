import { cases, same } from "../cases.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { FileArguments, fileErrorText } from "../../lib/remote/file_arguments.ts";

// No test may ask for an operation on the root folder itself: should its check be broken, the test
// would delete the machine that it runs on. What is checked is the path, before it gets anywhere.

const pathOf = (path: string) => new FileArguments({ path }, "/home/me").pathBelowRoot("path");

Deno.test("FileArguments.pathBelowRoot() refuses the root folder, however it is written", () => {
  const roots = ["", "/", "//", "/.", "/..", "/tmp/..", "/a/b/../../..", "~/../../../../.."];
  for (const path of roots) {
    assertThrows(() => pathOf(path), TypeError, "operation not permitted", path);
  }
  same(pathOf, [["/a//b/./c/../d/", "/a/b/d"], ["~/x", "/home/me/x"], ["~", "/home/me"]]);
});

function argument(value: unknown): FileArguments {
  return new FileArguments({ x: value }, "/home/me");
}

Deno.test("FileArguments.text() is no longer than a path, and is missing when it is null", () => {
  assertEquals(argument("x".repeat(4096)).text("x").length, 4096);
  assertThrows(() => argument("x".repeat(4097)).text("x"), TypeError, "file name too long: x");
  for (const value of [{}, [], 1, true]) {
    assertThrows(() => argument(value).text("x"), TypeError, "x is not a text");
  }
  for (const value of [null, undefined]) {
    assertEquals([argument(value).has("x"), argument(value).text("x")], [false, ""]);
  }
});

Deno.test("FileArguments.flag() is set by true alone", () => {
  same((value: unknown) => argument(value).flag("x"), [[true, true], [1, false], ["true", false]]);
});

const ERRORS = cases(`
ENOENT: no such file or directory, open '/a/Not Found' → /a/Not Found: no such file or directory
Permission denied (os error 13): readdir '/root' → /root: permission denied
Permission denied (os error 13): mkdir '/proc/self/fd/9/x' → /named: permission denied
Invalid cross-device link (os error 18): rename '/A' -> '/b'
  → /A to /b: invalid cross-device link
No space left on device (os error 28) → /named: no space left on device
Cannot GET http://h/x?token=secret → /named: cannot get http://h/x?…
`);

Deno.test("fileErrorText() has the path and the system's words, and no query", () => {
  same((words) => fileErrorText(new Error(words), "/named"), ERRORS);
});
