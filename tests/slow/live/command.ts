/**
 * Runs a command of this machine and gives what it wrote.
 *
 * @throws {Error} When it is missing or fails; with what it complained about.
 */
export function outputOf(command: string, ...args: readonly string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, {
    args: [...args],
    env: { LC_ALL: "C" },
    stdin: "null",
  }).outputSync();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  const complaint = decoder.decode(stderr).trim();
  throw new Error(`Cannot run ${[command, ...args].join(" ")}: ${complaint}`);
}

/** Whether a command of this machine is there and succeeds. */
export function succeeds(command: string, ...args: readonly string[]): boolean {
  try {
    outputOf(command, ...args);
    return true;
  } catch {
    return false;
  }
}

/** The tools that this machine lacks, as a reason to skip a test; `undefined` when it has all. */
export function lackOfTools(...tools: readonly string[]): string | undefined {
  const missing = tools.filter((tool) => !succeeds("sh", "-c", 'command -v "$1"', "sh", tool));
  return missing.length === 0 ? undefined : `no ${missing.join(", no ")}`;
}

/** What follows the name of a test that is skipped for a reason. */
export function skipReason(lack: string | undefined): string {
  return lack === undefined ? "" : ` (skipped: ${lack})`;
}
