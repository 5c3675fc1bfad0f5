import { assertEquals, assertThrows } from "@std/assert";
import { parseArguments } from "../../lib/config/command_line.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

Deno.test("parseArguments() takes commands of one and of two words", () => {
  assertEquals(parseArguments([]).command, "report");
  assertEquals(parseArguments(["demo"]).command, "demo");
  assertEquals(parseArguments(["traffic", "show"]).command, "traffic show");
  assertEquals(parseArguments(["traffic", "--up", "1", "set"]).command, "traffic set");
});

Deno.test("parseArguments() refuses half a command and a word too many", () => {
  const table: [args: string[], words: string][] = [
    [["traffic"], '"traffic": there is none of that name; commands are'],
    [["traffic", "shw"], "did you mean traffic show?"],
    [["traffic", "show", "all"], "traffic show takes no more words"],
    [["demo", "set"], "demo takes no more words"],
  ];
  for (const [args, words] of table) {
    assertThrows(() => parseArguments(args), UsageError, words);
  }
});
