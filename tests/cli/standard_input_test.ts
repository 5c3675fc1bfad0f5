import { assertEquals, assertMatch } from "@std/assert";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** Runs `config show` with that on standard input. */
async function show(input: string): Promise<{ code: number; output: string }> {
  const home = await Deno.makeTempDir();
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", MAIN, "config", "show", "--token-file", "-"],
      env: { NO_COLOR: "1", HOME: home },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test("--token-file - reads the token from standard input", async () => {
  const { code, output } = await show("the-token\n");
  assertEquals(code, 0, output);
  assertMatch(output, /^ *token +\*+ +flag --token-file$/m);
  assertEquals(output.includes("the-token"), false);
});

Deno.test("--token-file - refuses an empty standard input", async () => {
  const { code, output } = await show("\n");
  assertEquals(code, 2);
  assertMatch(output, /Cannot use --token-file -: it is empty/);
});
