import type { DryRun } from "../../../lib/cli/dry_run.ts";

/** What `main.ts --dry-run --json` says as a process of its own; `through` is a command that starts it. */
export async function dryRun(
  args: readonly string[],
  { through = [] }: { through?: readonly string[] } = {},
): Promise<DryRun> {
  const [command = "", ...words] = [...through, ...dryRunCommand(args)];
  const run = new Deno.Command(command, { args: words, env: DRY_RUN_ENV, stdin: "null" });
  const { stdout, stderr } = await run.output();
  return toDryRun(new TextDecoder().decode(stdout), new TextDecoder().decode(stderr));
}

/** The words of a dry run's command. */
export function dryRunCommand(args: readonly string[]): string[] {
  const runtime = ["run", "-A", "--no-prompt", "--no-check", MAIN];
  return [Deno.execPath(), ...runtime, "--dry-run", "--json", "-i", "0.2", ...args];
}

/** Nobody outside is asked for addresses. */
export const DRY_RUN_ENV = { NO_COLOR: "1", AGENT_IP_SERVICES: "off" } as const;

/** Reads a dry run's JSON. */
export function toDryRun(text: string, complaint: string): DryRun {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`Cannot read the dry run: ${complaint}`, { cause });
  }
}

const MAIN = new URL("../../../main.ts", import.meta.url).pathname;
