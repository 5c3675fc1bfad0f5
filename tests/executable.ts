/**
 * Writes a script that can be run at once.
 *
 * Another program writes the file: what this process has open for writing, a child that another
 * test is starting meanwhile has open too for a moment, and the kernel runs no such file ("Text file
 * busy").
 */
export function writeExecutable(path: string, text: string): void {
  const source = `${path}.source`;
  Deno.writeTextFileSync(source, text);
  const { success, stderr } = new Deno.Command("install", {
    args: ["-m", "755", source, path],
    stdout: "null",
    stderr: "piped",
  }).outputSync();
  Deno.removeSync(source);
  if (!success) throw new Error(`Cannot write ${path}: ${new TextDecoder().decode(stderr)}`);
}
