import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { helpText } from "../../lib/cli/help.ts";
import { OPTION_ROWS, OPTIONS } from "../../lib/config/option_table.ts";

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
  for (const line of helpText().split("\n")) assert(line.length <= 100, line);
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
