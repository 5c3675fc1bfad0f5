import { linkOrCopy, removeIfExists, syncFolder } from "../state/atomic_write.ts";
import { dirname } from "../parse/path.ts";
import { removeEmptyFolder, type Step } from "./install_step.ts";
import { missingFolders, pathExists, type TargetSystem } from "./target_system.ts";

/** Names a file as it was, beside the one that takes its place. */
const SUFFIX = ".before";

/** A saved path in its folder. */
export function savedPath(path: string): string {
  return path + SUFFIX;
}

/**
 * The files and folders that steps are going to change, as they were: an installation that no panel
 * accepts is put back by them.
 *
 * Each file is kept as a second link to it in its folder, so owner, mode and content come back by one
 * rename, and a large program costs nothing. Paths are full, below the root of the system.
 */
export interface SavedFiles {
  readonly saved: readonly string[];
  readonly missing: readonly string[];
  readonly missingFolders: readonly string[];
  /** Folders that are removed with everything in them. */
  readonly missingTrees: readonly string[];
}

/**
 * Saves what steps are going to change.
 *
 * @param trees Folders that {@linkcode restoreFiles} removes with everything in them, unless they are
 * there now.
 * @throws {Error} When something can't be saved; nothing is left then.
 */
export async function saveFiles(
  steps: readonly Step[],
  trees: readonly string[],
  { root }: TargetSystem,
): Promise<SavedFiles> {
  const changed = new Set<string>();
  const parents: string[] = [];
  for (const step of steps) {
    if ("tool" in step || step.do === "remove folder" || step.do === "remove empty folder") {
      continue;
    }
    // Folders count as the parents of what is in them.
    if (step.do === "folder") parents.push(`${step.path}/file`);
    else changed.add(step.path);
  }
  const isThere = (path: string) => pathExists(root + path);
  const rooted = (paths: readonly string[]) => paths.map((path) => root + path);
  const files = {
    saved: rooted([...changed].filter(isThere)),
    missing: rooted([...changed].filter((path) => !isThere(path))),
    missingFolders: rooted(missingFolders([...changed, ...parents], { root })),
    missingTrees: rooted(trees.filter((path) => !isThere(path))),
  };
  try {
    for (const path of files.saved) await linkOrCopy(path, savedPath(path));
  } catch (cause) {
    await discardFiles(files);
    throw new Error("Cannot keep the present installation", { cause });
  }
  return files;
}

/** Puts everything back. @throws {Error} When that fails. */
export async function restoreFiles(files: SavedFiles): Promise<void> {
  for (const path of files.saved) {
    await Deno.rename(savedPath(path), path);
    // rename() does nothing when both are links to one file.
    await removeIfExists(savedPath(path));
    await syncFolder(dirname(path));
  }
  for (const path of files.missing) await removeIfExists(path);
  for (const path of files.missingTrees) await removeIfExists(path, { recursive: true });
  for (const path of files.missingFolders) await removeEmptyFolder(path);
}

/** Forgets how everything was. */
export async function discardFiles({ saved }: SavedFiles): Promise<void> {
  for (const path of saved) await removeIfExists(savedPath(path));
}
