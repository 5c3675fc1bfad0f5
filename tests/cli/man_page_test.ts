import { assertEquals, assertStringIncludes } from "@std/assert";
import { manPage, runMan } from "../../lib/cli/man_page.ts";
import { COMMAND_ROWS } from "../../lib/config/commands.ts";
import { OPTION_ROWS } from "../../lib/config/option_table.ts";
import { configOf, FakeContext } from "./fake_context.ts";

Deno.test("manPage() has every command and option, in both languages", () => {
  for (const language of ["en", "zh"] as const) {
    const page = manPage(language);
    for (const [name, { help }] of COMMAND_ROWS) {
      assertStringIncludes(page, `\n.B ${name}\n`);
      assertStringIncludes(page, help[language].replaceAll("-", "\\-"));
    }
    for (const { flag } of OPTION_ROWS) {
      if (flag !== undefined) assertStringIncludes(page, `\\-\\-${flag.replaceAll("-", "\\-")}`);
    }
  }
});

Deno.test("manPage() has only requests of man(7) at the beginning of a line", () => {
  const requests = manPage("en").split("\n").filter((line) => /^[.']/.test(line))
    .map((line) => line.split(" ")[0]);
  assertEquals([...new Set(requests)].sort(), [".B", ".SH", ".SS", ".TH", ".TP", ".br"]);
});

Deno.test("manPage() has a title, exit codes, and what each option takes", () => {
  const page = manPage("en");
  assertStringIncludes(page, '.TH KOMARI\\-AGENT\\-DENO 1 "" "komari\\-agent\\-deno ');
  const [, synopsis = ""] = /\.SH SYNOPSIS\n([^]*?)\.SH/.exec(page) ?? [];
  const program = ".B komari\\-agent\\-deno\n";
  assertEquals(
    synopsis,
    COMMAND_ROWS.map(([, { usage }]) => `${program}${usage.replaceAll("-", "\\-")}\n.br\n`).join(
      "",
    ),
  );
  assertStringIncludes(page, ".B \\-c, \\-\\-reconnect\\-interval SECONDS\nWait between");
  assertStringIncludes(page, "\n.br\nDefault: 2 (official: 5)\n.br\nVariable: AGENT_RECONNECT_");
  assertStringIncludes(page, "\n.B $HOST_PROC\n");
  assertStringIncludes(page, "\n.br\nthis agent never gives up on the panel");
  const [, status = ""] = page.split(".SH EXIT STATUS\n");
  assertEquals(
    status,
    "0 for success, 1 for a failure, 2 for a mistake on the command line or in the " +
      "configuration, 130 when interrupted.\n",
  );
  assertStringIncludes(manPage("zh"), "\n默认：5\n.br\n环境变量：AGENT_INFO_REPORT_INTERVAL\n");
  const sections = page.match(/^\.SH .*$/gm);
  assertEquals(sections?.map((line) => line.slice(4)), [
    ...["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "EXIT STATUS"],
  ]);
});

Deno.test("runMan() prints the page in the user's language", () => {
  for (const language of ["en", "zh"] as const) {
    const context = new FakeContext();
    assertEquals(runMan(configOf(["man", "--lang", language]), context), 0);
    assertEquals(context.printed, manPage(language));
  }
});
