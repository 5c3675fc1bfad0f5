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
  Deno.chmodSync(source, 0o755);
  makeExecutable(source);
  Deno.renameSync(source, path);
}

/** Makes a script of this process's one that can be run at once, as {@linkcode writeExecutable} does. */
export function makeExecutable(path: string): void {
  const copy = `${path}.copy`;
  const { success, stderr } = new Deno.Command("cp", {
    args: ["-p", path, copy],
    stdout: "null",
    stderr: "piped",
  }).outputSync();
  if (!success) throw new Error(`Cannot copy ${path}: ${new TextDecoder().decode(stderr)}`);
  Deno.renameSync(copy, path);
}
