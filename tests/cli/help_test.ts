import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { helpText, optionsOf, runHelp } from "../../lib/cli/help.ts";
import { displayWidth, padded, wrap } from "../../lib/cli/layout.ts";
import { translate } from "../../lib/cli/translate.ts";
import { COMMAND_ROWS } from "../../lib/config/commands.ts";
import { OPTION_GROUPS } from "../../lib/config/option.ts";
import { OPTION_ROWS, OPTIONS } from "../../lib/config/option_table.ts";
import { configOf, FakeContext } from "./fake_context.ts";

const zh = (english: string) => translate(english, "zh");

Deno.test("helpText() shows every option and variable of the table", () => {
  const help = helpText();
  for (const option of Object.values(OPTIONS)) {
    if ("flag" in option) assertStringIncludes(help, `--${option.flag}`);
    if ("variable" in option && option.variable !== undefined) {
      assertStringIncludes(help, `$${option.variable}`);
    }
  }
});

Deno.test("helpText() fits a terminal of 100 columns", () => {
  for (const language of ["en", "zh"] as const) {
    for (const topic of ["", "traffic", ...COMMAND_ROWS.map(([name]) => name)]) {
      for (const line of helpText(topic, (text) => translate(text, language)).split("\n")) {
        assert(displayWidth(line) <= 100, line);
      }
    }
  }
});

Deno.test("helpText() shows only the options that the command takes", () => {
  const help = helpText("traffic set");
  for (const flag of ["--up BYTES", "--month-rotate DAY", "--json"]) {
    assertStringIncludes(help, flag);
  }
  for (const flag of ["--endpoint", "--port", "--dry-run"]) {
    assertEquals(help.includes(flag), false);
  }
  assertStringIncludes(helpText("install"), "--endpoint");
});

Deno.test("helpText() shows the commands of a group", () => {
  const help = helpText("traffic");
  assertStringIncludes(help, "traffic show");
  assertStringIncludes(help, "traffic set");
  assertEquals(help.includes("uninstall"), false);
});

Deno.test("OPTIONS and COMMANDS have every text in both languages", () => {
  const texts = [
    ...OPTION_ROWS.flatMap((row) => [row.help, row.noEffect, row.initialText]),
    ...COMMAND_ROWS.flatMap(([, row]) => [row.help, row.details]),
    ...Object.values(OPTION_GROUPS).map(({ title }) => title),
  ].filter((text) => text !== undefined);
  for (const text of texts) {
    assertEquals(/\p{Script=Han}/u.test(text), false, text);
    // Names and paths are the same in both.
    if (text.includes(" ")) assert(/\p{Script=Han}/u.test(zh(text)), text);
  }
});

Deno.test("OPTIONS use no name twice", () => {
  for (const name of ["flag", "short", "variable", "key"] as const) {
    const names = Object.values(OPTIONS).flatMap((row) => {
      const value: unknown = Object.entries(row).find(([key]) => key === name)?.[1];
      return typeof value === "string" ? [value] : [];
    });
    assertEquals(names.length, new Set(names).size, name);
  }
});

Deno.test("OPTIONS have the keys that the help promises", () => {
  for (const { variable, key } of OPTION_ROWS) {
    assertEquals(key, variable?.replace(/^AGENT_/, "").toLowerCase());
  }
});

Deno.test("helpText() lays a command out with its options, their defaults and variables", () => {
  assertEquals(helpText("uninstall").split("\n"), [
    "komari-agent-deno uninstall [--print]",
    "",
    "Remove the service and all its files.",
    "",
    "General:",
    "  --config FILE                         A JSON file with any of these options by their keys;",
    "                                        comments are allowed (default: none; $AGENT_CONFIG_FILE)",
    "  --lang en|zh                          Language of what is printed for people; by $LANG alone, the",
    "                                        agent's log stays English (default: by $LANG; $AGENT_LANG)",
    "  -h, --help                            Show the help, after a command only its own, and exit",
    "",
    "Install:",
    "  --print                               For `install` and `uninstall`: show what would be done, and",
    "                                        change nothing",
    "  --restore                             For `uninstall`: restore the official agent that was",
    "                                        replaced",
    "  --keep-state                          For `uninstall`: keep the monthly traffic and the",
    "                                        registration for the next installation",
    "  --install-service-name NAME           Name of the service (default: komari-agent-deno)",
    "",
    "`komari-agent-deno help` shows all commands and options.",
    "",
  ]);
  const expected = ["komari-agent-deno version [--json]", "", "显示版本。", ""];
  assertEquals(helpText("version", zh).split("\n").slice(0, 4), expected);
  assertStringIncludes(helpText("update", zh), "（默认：无；$AGENT_MIRROR）");
});

Deno.test("helpText() shows every command in a line, and a dry run below the report", () => {
  const lines = helpText().split("\n");
  const from = lines.indexOf("Usage:");
  assertEquals(lines.slice(from + 1, from + 4), [
    "  komari-agent-deno -e URL -t TOKEN [options]      report to a panel",
    "  komari-agent-deno --dry-run [--json]             show what would be sent",
    "  komari-agent-deno demo [options]                 try it without a panel",
  ]);
  assertEquals(helpText("traffic").split("\n").slice(0, 3), [
    "Commands:",
    "  komari-agent-deno traffic show [--json]          show the month's traffic",
    "  komari-agent-deno traffic set --up N --down N    set the month's traffic",
  ]);
});

Deno.test("optionsOf() has official options without effect for an agent alone", () => {
  const has = (command: Parameters<typeof optionsOf>[0]) =>
    optionsOf(command).some(({ flag }) => flag === "max-retries");
  const expected = [true, true, false, false];
  assertEquals([has("report"), has("install"), has("doctor"), has("status")], expected);
});

Deno.test("wrap() breaks Chinese between words, and begins no line with a mark that closes", () => {
  assertEquals(wrap("one two three", 7), ["one two", "three"]);
  assertEquals(wrap("one", 2), ["one"]);
  assertEquals(wrap("", 5), [""]);
  const text = "面板的地址，不带路径（可选）。".repeat(3);
  const lines = wrap(text, 12);
  assertEquals(lines.join(""), text);
  for (const line of lines) {
    assert(displayWidth(line) <= 12 || !/[，。）].*[，。）]/.test(line), line);
    assert(!/^[，。）]/.test(line) && !/（$/.test(line), line);
  }
});

Deno.test("displayWidth() counts two columns for what is wide", () => {
  const widths = ["abc", "面板", "，", "（x）", "é…", "⺀", "ａ"].map(displayWidth);
  assertEquals(widths, [3, 4, 2, 5, 2, 2, 2]);
  assertEquals([padded("面板", 6), padded("abc", 2)], ["面板  ", "abc"]);
});

Deno.test("runHelp() prints the help of what is asked, in the user's language", () => {
  const table: [args: string[], text: string][] = [
    [["help"], helpText()],
    [["help", "install", "--lang", "zh"], helpText("install", zh)],
    [["traffic"], helpText("traffic")],
    [["status", "--help"], helpText("status")],
  ];
  for (const [args, text] of table) {
    const context = new FakeContext();
    const config = configOf(args);
    const inLanguage = (english: string) => translate(english, config.language);
    assertEquals(runHelp(config, Object.assign(context, { inLanguage })), 0);
    assertEquals(context.printed, text);
  }
});
