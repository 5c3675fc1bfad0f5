import { assertEquals, assertThrows } from "@std/assert";
import { parseArguments } from "../../lib/config/command_line.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

Deno.test("parseArguments() takes commands of one and of two words", () => {
  assertEquals(parseArguments([]).command, "report");
  assertEquals(parseArguments(["demo"]).command, "demo");
  assertEquals(parseArguments(["traffic", "show"]).command, "traffic show");
  assertEquals(parseArguments(["traffic", "--up", "1", "set"]).command, "traffic set");
});

Deno.test("parseArguments() refuses an unknown command and a word too many", () => {
  const table: [args: string[], words: string][] = [
    [["trfc"], '"trfc": there is none of that name; commands are'],
    [["traffic", "shw"], "did you mean traffic show?"],
    [["traffic", "show", "all"], "traffic show takes no more words"],
    [["demo", "set"], "demo takes no more words"],
  ];
  for (const [args, words] of table) {
    assertThrows(() => parseArguments(args), UsageError, words);
  }
});

Deno.test("parseArguments() asks for the help of a command, and of a group without a second word", () => {
  const table: [args: string[], command: string, topic: string][] = [
    [["help"], "help", ""],
    [["help", "update"], "help", "update"],
    [["help", "traffic", "set"], "help", "traffic set"],
    [["help", "traffic"], "help", "traffic"],
    [["traffic"], "help", "traffic"],
    [["traffic", "show", "--help"], "traffic show", "traffic show"],
    [["--help"], "report", ""],
  ];
  for (const [args, command, topic] of table) {
    const parsed = parseArguments(args);
    assertEquals([parsed.command, parsed.topic], [command, topic], args.join(" "));
  }
  assertThrows(() => parseArguments(["help", "updte"]), UsageError, "did you mean update?");
});

Deno.test("parseArguments() does not turn an unknown --no- flag into its opposite", () => {
  for (const flag of ["--no-gpu", "--no-gpu=1"]) {
    assertThrows(() => parseArguments([flag]), UsageError, "Cannot use flag --no-gpu");
  }
});

Deno.test("parseArguments() keeps a value as it is, whatever is in it", () => {
  for (const value of ["-x", "--x", "=", "a=b", "5", "", "no"]) {
    const { flags } = parseArguments(["--token", value, "-t", value]);
    assertEquals([...flags.values()], [value]);
    assertEquals([...parseArguments([`--token=${value}`]).flags.values()], [value]);
  }
});

Deno.test("parseArguments() takes what follows -- for commands, and the last value of a flag", () => {
  assertEquals(parseArguments(["--", "traffic", "show"]).command, "traffic show");
  assertThrows(() => parseArguments(["--", "--gpu"]), UsageError, 'Cannot use command "--gpu"');
  assertEquals([...parseArguments(["-i", "1", "--interval", "2"]).flags.values()], ["2"]);
});

Deno.test("parseArguments() takes no value attached to the letter of a switch", () => {
  assertThrows(() => parseArguments(["-ux"]), UsageError, "Cannot use flag -ux: there is none");
  const { command, flags } = parseArguments(["-u", "demo"]);
  assertEquals([command, [...flags.values()]], ["demo", ["true"]]);
});
