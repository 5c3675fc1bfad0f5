import { assertStringIncludes } from "@std/assert";
import type { Option } from "../lib/config/option.ts";
import { OPTIONS } from "../lib/config/options.ts";

const readme = Deno.readTextFileSync(new URL("../README.md", import.meta.url));

Deno.test("the README has every option by its names", () => {
  const options: readonly Option<unknown>[] = Object.values(OPTIONS);
  for (const { flag, variable, key } of options) {
    if (flag !== undefined) assertStringIncludes(readme, `--${flag}`);
    if (variable !== undefined) assertStringIncludes(readme, variable);
    if (key !== undefined) assertStringIncludes(readme, `\`${key}\``);
  }
});

Deno.test("CI runs the README's test command", () => {
  const run = Deno.readTextFileSync(new URL("../.ci/run", import.meta.url));
  const command = "npx --yes deno@2.9.6 task test";
  assertStringIncludes(readme, command);
  assertStringIncludes(run, command);
});
