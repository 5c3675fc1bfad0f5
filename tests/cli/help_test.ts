import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMAND_HELP, helpText, optionsOf, runHelp } from "../../lib/cli/help.ts";
import { displayWidth, padded, wrap } from "../../lib/cli/layout.ts";
import { translate } from "../../lib/cli/translate.ts";
import { OPTION_ROWS } from "../../lib/config/option_table.ts";
import { same } from "../cases.ts";
import { configOf, FakeContext } from "./fake_context.ts";

const zh = (english: string) => translate(english, "zh");
const TOPICS = ["", "traffic", ...Object.keys(COMMAND_HELP)];

Deno.test("helpText() of the program is one screen, with every command and five examples", () => {
  for (const say of [undefined, zh]) {
    const lines = helpText("", say).trimEnd().split("\n");
    assert(lines.length >= 24 && lines.length <= 40, `${lines.length} lines`);
    for (const name of Object.keys(COMMAND_HELP)) {
      assert(lines.some((line) => line.startsWith(`  ${name}  `)), name);
    }
    const examples = lines.filter((line) => line.startsWith("  komari-agent-deno "));
    assertEquals(examples.length, 7, "two of them say where to read on");
  }
});

Deno.test("helpText() fits a terminal of 80 columns, and every command but report a screen", () => {
  for (const say of [undefined, zh]) {
    for (const topic of TOPICS) {
      const lines = helpText(topic, say).split("\n");
      for (const line of lines) assert(displayWidth(line) <= 80, line);
      assert(topic === "report" || lines.length <= 50, `${topic}: ${lines.length} lines`);
    }
  }
});

Deno.test("helpText() of report shows every option that has an effect on an agent", () => {
  const help = helpText("report");
  for (const { flag, variable, noEffect, group } of OPTION_ROWS) {
    const isAgents = noEffect === undefined &&
      !["general", "install", "demo", "updates"].includes(group);
    const isShown = help.includes(flag === undefined ? `  $${variable}` : `--${flag} `);
    if (noEffect !== undefined) assertEquals(isShown, false, flag);
    if (isAgents && !["up", "down"].includes(flag ?? "")) assert(isShown, flag);
  }
});

Deno.test("helpText() shows a command's own options first, with defaults and other names of variables", () => {
  assertEquals(
    helpText("uninstall"),
    `komari-agent-deno uninstall [OPTIONS]

Remove the service and all its files.

Example:
  komari-agent-deno uninstall --keep-state

Options:
  --print                      Show what it would do, and change nothing
  --restore                    Start the replaced official agent again
  --keep-state                 Keep monthly traffic and registration for the
                               next installation
  --config FILE                JSON configuration file; may have comments
                               ($AGENT_CONFIG_FILE)
  --lang en|zh                 Language of the output; with $LANG alone, the
                               agent's log stays English (default: by $LANG)
  -h, --help                   Show the help; after a command, the help of that
                               command
  --install-service-name NAME  Name of the service (default: komari-agent-deno)
`,
  );
  const flags = (...[command]: Parameters<typeof optionsOf>) =>
    optionsOf(command).map(({ flag }) => flag);
  assertEquals(flags("traffic set").slice(0, 2), ["up", "down"]);
  assertEquals(flags("demo").slice(0, 2), ["port", "fault"]);
  assertEquals(flags("doctor").includes("endpoint"), false);
  assertStringIncludes(
    helpText("doctor"),
    "the agent's options, which `komari-agent-deno help rep",
  );
});

Deno.test("helpText() shows the commands of a group", () => {
  const help = helpText("traffic");
  assertStringIncludes(help, "  traffic show   show the month's traffic\n  traffic set ");
  assertEquals(help.includes("uninstall"), false);
});

Deno.test("wrap() breaks Chinese between words, and begins no line with a mark that closes", async () => {
  await same(({ text, width }: { text: string; width: number }) => wrap(text, width), [
    [{ text: "one two three", width: 7 }, ["one two", "three"]],
    [{ text: "one", width: 2 }, ["one"]],
    [{ text: "", width: 5 }, [""]],
  ]);
  const text = "面板的地址，不带路径（可选）。".repeat(3);
  const lines = wrap(text, 12);
  assertEquals(lines.join(""), text);
  for (const line of lines) {
    assert(displayWidth(line) <= 12 || !/[，。）].*[，。）]/.test(line), line);
    assert(!/^[，。）]/.test(line) && !/（$/.test(line), line);
  }
});

Deno.test("displayWidth() counts two columns for what is wide", () => {
  const texts = [..."abc 面板 ， （x） é… ⺀ ａ".split(" "), padded("面板", 6), padded("abc", 2)];
  assertEquals(texts.map(displayWidth), [3, 4, 2, 5, 2, 2, 2, 6, 3]);
});

Deno.test("runHelp() prints the help of what is asked, in the user's language", () => {
  const table: [args: string[], text: string][] = [
    [["help"], helpText()],
    [["--help"], helpText()],
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
