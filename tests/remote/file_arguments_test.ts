import { same } from "../cases.ts";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { FileArguments, FileError, fileErrorText } from "../../lib/remote/file_arguments.ts";

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

Deno.test("FileArguments keeps 32 arguments, and no text that is longer than a path", () => {
  const names = Array.from({ length: 33 }, (_, at) => `n${at}`);
  const args = new FileArguments(Object.fromEntries(names.map((name) => [name, true])), "/");
  assertEquals([args.has("n31"), args.has("n32"), args.flag("n31")], [true, false, true]);
  assertEquals(argument("x".repeat(4096)).text("x").length, 4096);
  assertThrows(() => argument("x".repeat(4097)), TypeError, "file name too long: x");
  for (const value of [null, {}, [], undefined]) assertEquals(argument(value).has("x"), false);
});

Deno.test("FileArguments.named is the path or the source as the system sees it, or empty", () => {
  const named = (args: Record<string, unknown>) => new FileArguments(args, "/h").named;
  same(named, [
    [{ path: "~/a/../b", source: "/b" }, "/h/b"],
    [{ source: "/b" }, "/b"],
    [{}, ""],
    [{ path: 1 }, ""],
  ]);
});

Deno.test("FileArguments.text() and path() refuse what is none", () => {
  assertEquals([argument("a").text("x"), argument("a").text("y")], ["a", ""]);
  assertThrows(() => argument(1).text("x"), TypeError, "x is not a text");
  assertThrows(() => argument("a/b").path("x"), TypeError, "must begin with / or ~/");
  assertThrows(() => argument("~other/b").path("x"), TypeError, "must begin with / or ~/");
  assertThrows(() => argument("/a\0b").path("x"), TypeError, "NUL");
  assertEquals(argument("").path("x"), "/");
});

Deno.test("FileArguments.flag() is set by true alone", () => {
  assertEquals([true, false, 1, "true"].map((value) => argument(value).flag("x")), [
    ...[true, false, false, false],
  ]);
});

Deno.test("FileArguments.integer() takes whole numbers between its limits", () => {
  const integer = (value: unknown, max?: number) =>
    argument(value).integer("x", { min: 2, ...(max === undefined ? {} : { max }) });
  assertEquals([integer(2), integer(9, 9), integer(2 ** 53 - 1)], [2, 9, 2 ** 53 - 1]);
  for (const value of [1, 10, 2.5, "5", NaN, undefined, true]) {
    assertThrows(() => integer(value, 9), RangeError, "x must be a whole number from 2 to 9");
  }
  assertThrows(() => integer(2 ** 53), RangeError, "from 2 to 9007199254740991");
});

Deno.test("FileArguments.mode() reads octal digits", () => {
  const mode = (text: string) => argument(text).mode("x");
  assertEquals(["755", "0755", "0o644", " 600 ", "7777", "01777", "0"].map(mode), [
    ...[0o755, 0o755, 0o644, 0o600, 0o7777, 0o1777, 0],
  ]);
  assertEquals([mode(""), mode(" ")], [undefined, undefined]);
  for (const text of ["8", "77777", "0x1", "-1", "u+x", "7.5", "9".repeat(1000)]) {
    const { message } = assertThrows(() => mode(text), RangeError, "is no octal mode");
    assert(message.length < 80, message);
  }
});

Deno.test("FileArguments.id() takes what may be part of a name or of a URL", () => {
  const id = (value: unknown) => argument(value).id("x");
  assertEquals([id("a-B_9"), id(" a "), id("x".repeat(128))], ["a-B_9", "a", "x".repeat(128)]);
  for (const value of ["", "..", "a/b", "a b", "a.b", "é", "x".repeat(129), undefined]) {
    assertThrows(() => id(value), TypeError, "x must be 1 to 128 letters, digits, - or _");
  }
});

Deno.test("fileErrorText() has the path and the system's words, and no query", () => {
  const text = ([words = "", code]: string[]) =>
    fileErrorText(Object.assign(new Error(words), code && { code }), "/named");
  same(text, [
    [
      ["ENOENT: no such file or directory, open '/a/Not Found'", "ENOENT"],
      "/a/Not Found: no such file or directory",
    ],
    [["Permission denied (os error 13): readdir '/root'", "EACCES"], "/root: permission denied"],
    [
      ["Permission denied (os error 13): mkdir '/proc/self/fd/9/x'", "EACCES"],
      "/named: permission denied",
    ],
    [
      ["Invalid cross-device link (os error 18): rename '/A' -> '/b'"],
      "/A to /b: invalid cross-device link",
    ],
    [["No space left on device (os error 28)", "ENOSPC"], "/named: no space left on device"],
    [["Cannot GET http://h/x?token=secret"], "cannot get http://h/x?…"],
  ]);
  // With replacement characters, it says where it can be used.
  const missing = new Deno.errors.NotFound("no such file");
  same((path: string) => new FileError(path, missing).message, [
    ["/a", "/a: no such file"],
    ["/\ufffd", "/\ufffd: no such file (a name that is not UTF-8 can be used in a terminal only)"],
  ]);
});
