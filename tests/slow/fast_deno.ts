/**
 * Writes a program that is Deno, but for the clocks of what it runs, and gives its path.
 *
 * A portable build starts `deno run` with flags of its own, which stay.
 *
 * @param clock `fast_clock`: they are so much faster as the variable `TIME_FACTOR` says. `quick_timers`:
 * pauses end at once while the line of shell `QUICK_WHEN` succeeds, and all else late.
 * @param options.folder Where it is written, with the module, and where it lies when it runs; the
 * latter is another path in a container.
 * @param options.deno The path of Deno there.
 */
export async function writeFastDeno(
  clock: "fast_clock" | "quick_timers",
  { folder, deno = Deno.execPath(), folderWithin = folder }: {
    folder: string;
    deno?: string;
    folderWithin?: string;
  },
): Promise<string> {
  const module = `${clock}.ts`;
  await Deno.copyFile(new URL(module, import.meta.url), `${folder}/${module}`);
  await Deno.chmod(`${folder}/${module}`, 0o644);
  const script = `#!/bin/sh
case $1 in
run) shift; exec '${deno}' run --preload='${folderWithin}/${module}' "$@" ;;
*) exec '${deno}' "$@" ;;
esac
`;
  await Deno.writeTextFile(`${folder}/fast-deno`, script);
  await Deno.chmod(`${folder}/fast-deno`, 0o755);
  return `${folderWithin}/fast-deno`;
}
