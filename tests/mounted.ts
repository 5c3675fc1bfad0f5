/**
 * Mounts something at a folder until the block ends. Without the rights to it, and elsewhere than
 * on Linux, there is `undefined`, and a line says so.
 */
export async function mounted(
  place: string,
  ...how: string[]
): Promise<AsyncDisposable | undefined> {
  const run = async (command: string, ...args: string[]) => {
    const output = new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output();
    return (await output.catch(() => undefined))?.success ?? false;
  };
  const isPossible = Deno.build.os === "linux" && Deno.uid() === 0;
  if (!isPossible || !await run("mount", ...how, place)) {
    console.log("skipped: nothing can be mounted here");
    return undefined;
  }
  return { [Symbol.asyncDispose]: async () => void await run("umount", "-l", place) };
}

/** A file system in memory with these options. */
export function mountedInMemory(place: string, options: string): ReturnType<typeof mounted> {
  return mounted(place, "-t", "tmpfs", "-o", options, "tiny");
}
