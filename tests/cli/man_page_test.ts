import { assertEquals, assertStringIncludes } from "@std/assert";
import { manPage } from "../../lib/cli/man_page.ts";
import { COMMAND_ROWS } from "../../lib/config/commands.ts";
import { OPTION_ROWS } from "../../lib/config/option_table.ts";

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
