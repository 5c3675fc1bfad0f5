/**
 * Runs a program and returns its standard output.
 *
 * @throws {Error} When it fails or can't be started, with its standard error.
 */
export async function run(
  program: string,
  args: readonly string[],
  options: { folder: string; env?: Readonly<Record<string, string>> },
): Promise<string> {
  const { success, code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: options.folder,
    env: { NO_COLOR: "1", ...options.env },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  if (success) return text.decode(stdout);
  throw new Error(
    `Cannot run ${program} ${args[0] ?? ""}: exit code ${code}\n${text.decode(stderr)}`.trim(),
  );
}
