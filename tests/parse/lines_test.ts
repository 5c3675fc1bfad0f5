import { assertEquals, assertThrows } from "@std/assert";
import { findLine, firstLine, parseLines, throwMalformed } from "../../lib/parse/lines.ts";

Deno.test("firstLine() returns the first line, and truncates a long line", () => {
  assertEquals(firstLine("one\ntwo\nthree"), "one");
  assertEquals(firstLine("one"), "one");
  assertEquals(firstLine("\ntwo"), "");
  assertEquals(firstLine(""), "");
  assertEquals(firstLine("x".repeat(5000)).length, 120);
});

Deno.test("findLine() returns the first line that begins so", () => {
  const text = "one 1\ntwo 2\nthree 3\ntwo 4\nlast";
  assertEquals(findLine(text, "one "), "one 1");
  assertEquals(findLine(text, "two "), "two 2");
  assertEquals(findLine(text, "last"), "last");
});

Deno.test("findLine() returns undefined when the text is elsewhere only", () => {
  for (const text of ["", "xone 1", "two\n one", "on\ne"]) {
    assertEquals(findLine(text, "one"), undefined);
  }
});

Deno.test("parseLines() parses each line that is not blank, and hands over the odd ones", () => {
  const errors: string[] = [];
  const options = {
    source: "x",
    parse: (line: string) => Number(line) || undefined,
    onMalformed: ({ message }: SyntaxError) => void errors.push(message),
  };
  assertEquals(parseLines("1\n\nodd\n  \n3", options), [1, 3]);
  assertEquals(errors, ['Cannot parse x: "odd"']);
  assertThrows(
    () => parseLines("odd", { ...options, onMalformed: throwMalformed }),
    SyntaxError,
    'Cannot parse x: "odd"',
  );
});
