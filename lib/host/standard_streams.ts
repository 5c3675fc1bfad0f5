/** Writes to standard output. */
export function print(text: string): void {
  write(Deno.stdout, text);
}

/** Writes a line to standard error. */
export function printError(line: string): void {
  write(Deno.stderr, `${line}\n`);
}

function write(stream: typeof Deno.stdout, text: string): void {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let from = 0; from < bytes.length;) from += stream.writeSync(bytes.subarray(from));
  } catch {
    // Nobody reads any more; that is no reason to end.
  }
}
