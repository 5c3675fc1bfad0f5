import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { displayWidth, helpText } from "../../lib/cli/help.ts";
import { COMMAND_ROWS } from "../../lib/config/commands.ts";
import { OPTION_GROUPS } from "../../lib/config/option.ts";
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
  for (const language of ["en", "zh"] as const) {
    for (const topic of ["", "traffic", ...COMMAND_ROWS.map(([name]) => name)]) {
      for (const line of helpText(topic, language).split("\n")) {
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
  for (const { en, zh } of texts) {
    assert(en !== "" && zh !== "", `${en}${zh}`);
    assertEquals(/\p{Script=Han}/u.test(en), false, en);
    // Names and paths are the same in both.
    if (en.includes(" ")) assert(/\p{Script=Han}/u.test(zh), zh);
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
