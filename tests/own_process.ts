import { assert } from "@std/assert";

/** The name of the one test that a process of its own runs. */
const VARIABLE = "TEST_IN_OWN_PROCESS";

/**
 * Registers a test that looks at its whole process, such as its descriptors or its memory.
 *
 * It runs in a process of its own, since files that are tested in parallel share one.
 */
export function isolatedTest(file: string | URL, definition: Deno.TestDefinition): void {
  const { name, ignore = false } = definition;
  if (Deno.env.get(VARIABLE) === name) return Deno.test(definition);
  Deno.test({
    name,
    ignore,
    async fn() {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["test", "-A", "--no-prompt", "--no-check", `--filter=${name}`, `${file}`],
        env: { [VARIABLE]: name, NO_COLOR: "1" },
      }).output();
      const decoder = new TextDecoder();
      const output = decoder.decode(stdout) + decoder.decode(stderr);
      assert(code === 0 && output.includes("| 0 failed"), output);
      assert(/^ok \| 1 passed/m.test(output), output);
    },
  });
}
