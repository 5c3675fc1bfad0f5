import { assert } from "@std/assert";

/** For a process that starts a Deno, and compiles what it runs. */
const PATIENCE_MS = 180_000;

/** The name of the one test that a process of its own runs. */
const VARIABLE = "TEST_IN_OWN_PROCESS";

/**
 * Registers a test that looks at its whole process, such as its descriptors or its memory.
 *
 * It runs in a process of its own, since files that are tested in parallel share one; `through` is a
 * command that starts it.
 */
export function isolatedTest(
  file: string | URL,
  definition: Deno.TestDefinition,
  { through = [] }: { through?: readonly string[] } = {},
): void {
  const { name, ignore = false } = definition;
  if (Deno.env.get(VARIABLE) === name) return Deno.test(definition);
  Deno.test({
    name,
    ignore,
    async fn() {
      const runtime = [Deno.execPath(), "test", "-A", "--no-prompt", "--no-check"];
      const [command = "", ...words] = [...through, ...runtime];
      const { code, stdout, stderr } = await new Deno.Command(command, {
        args: [...words, `--filter=${name}`, `${file}`],
        env: { [VARIABLE]: name, NO_COLOR: "1" },
        // What it waits for has its own patience, and is told by it.
        signal: AbortSignal.timeout(PATIENCE_MS),
      }).output();
      const decoder = new TextDecoder();
      const output = decoder.decode(stdout) + decoder.decode(stderr);
      assert(code === 0 && output.includes("| 0 failed"), output);
      assert(/^ok \| 1 passed/m.test(output), output);
    },
  });
}
