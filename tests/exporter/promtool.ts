import { unless } from "../only_on.ts";
import { TempFolder } from "../temp_folder.ts";
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
  const known =
    /^node_\w+ metric names should be written in 'snake_case'|^node_entropy_\w+_bits use base unit/;
  return said.split("\n").filter((line) => line !== "" && !known.test(line));
}

/** Number of samples that Prometheus reads from an OpenMetrics text. @throws {Error} If it can't. */
export async function openMetricsSamples(text: string): Promise<number> {
  using folder = new TempFolder();
  // Only to make a block of them do samples need a time.
  const dated = text.replaceAll(/^(?!#)(.+)$/gm, "$1 1795616763");
  await Deno.writeTextFile(`${folder.path}/in`, dated);
  const args = [
    "tsdb",
    "create-blocks-from",
    "openmetrics",
    `${folder.path}/in`,
    `${folder.path}/out`,
  ];
  const { code, said } = await run(args);
  if (code !== 0) throw new Error(`Cannot read OpenMetrics: ${said}`);
  return Number(/(?:\S+\s+){6}(\d+)/.exec(said.split("\n")[1] ?? "")?.[1] ?? NaN);
}
