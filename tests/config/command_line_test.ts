import { assertEquals, assertThrows } from "@std/assert";
import { parseArguments } from "../../lib/config/command_line.ts";
import { OPTIONS } from "../../lib/config/option_table.ts";
import { UsageError } from "../../lib/config/usage_error.ts";

Deno.test("parseArguments() refuses an unknown command and a word too many", () => {
  const table: [args: string[], words: string][] = [
    [["trfc"], '"trfc": no such command; commands are'],
    [["traffic", "shw"], "did you mean traffic show?"],
    [["traffic", "show", "all"], "traffic show takes no more words"],
    [["demo", "set"], "demo takes no more words"],
  ];
  for (const [args, words] of table) assertThrows(() => parseArguments(args), UsageError, words);
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
  assertThrows(() => parseArguments(["-ux"]), UsageError, "Cannot use flag -ux: no such flag");
  const { command, flags } = parseArguments(["-u", "demo"]);
  assertEquals([command, [...flags.values()]], ["demo", ["true"]]);
});

Deno.test("parseArguments() takes attached values of each form, and a token that begins with a dash", () => {
  const cases: [args: string[], value: string][] = [
    [["-t", "-abc"], "-abc"],
    [["-t-abc"], "-abc"],
    [["-t=a=b\nc"], "a=b\nc"],
    [["-i3"], "3"],
    [["-ehttps://p.example/x?y=z"], "https://p.example/x?y=z"],
    [["--fault="], ""],
  ];
  for (const [args, value] of cases) {
    assertEquals([...parseArguments(args).flags.values()], [value], args.join(" "));
  }
  const alone = "Cannot use flag -t alone: a value must follow it, as in -t TOKEN";
  for (const args of [["-t", "--interval", "3"], ["-t"]]) {
    const { message } = assertThrows(() => parseArguments(args), UsageError);
    assertEquals(message, alone);
  }
});

Deno.test("parseArguments() takes the value of a switch after = only", () => {
  const { gpu, compression } = OPTIONS;
  const { flags } = parseArguments(["--gpu=false", "--disable-compression=1"]);
  assertEquals([flags.get(gpu), flags.get(compression)], ["false", "1"]);
  assertThrows(() => parseArguments(["--gpu", "false"]), UsageError, 'Cannot use command "false"');
  assertThrows(() => parseArguments(["4Zk9qT7x"]), UsageError, 'Cannot use command "…": no such');
  assertThrows(() => parseArguments(["status", "4Zk9qT7x"]), UsageError, 'Cannot use "…": status');
});
