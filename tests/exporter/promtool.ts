import { unless } from "../only_on.ts";

/** Whether Debian's `promtool` is installed, whose parsers are those of Prometheus. */
export const hasPromtool: boolean = await run(["--version"]).then(() => true, () => false);

/** Tests that need it. */
export const withPromtool = unless(
  hasPromtool ? undefined : "it needs promtool, of Debian's package prometheus",
);

/** Runs `promtool` with a text on its standard input. @throws {Error} If it is not installed. */
async function run(args: readonly string[], input = ""): Promise<{ code: number; said: string }> {
  const child = new Deno.Command("promtool", {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, said: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** Complaints of `promtool check metrics`, but for the names that are node_exporter's own. */
export async function complaints(text: string): Promise<string[]> {
  const { said } = await run(["check", "metrics"], text);
  const known = /^node_\w+ metric names should be written in 'snake_case'/;
  return said.split("\n").filter((line) => line !== "" && !known.test(line));
}
