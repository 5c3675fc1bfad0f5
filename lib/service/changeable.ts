import { UsageError } from "../config/usage_error.ts";
import { dirname } from "../parse/path.ts";
import type { Step } from "./install_step.ts";
import { pathExists, type TargetSystem } from "./target_system.ts";

/**
 * Tries, before the first change, whether the files that steps are going to change can be changed: one
 * that is immutable would stop them halfway, and neither be put back nor removed.
 *
 * @throws {UsageError} When the kernel denies it to a file's owner, or to root.
 */
export function requireChangeable(
  steps: readonly Step[],
  { verb, system: { root } }: { verb: string; system: TargetSystem },
): void {
  const changed = steps.flatMap((step) => "tool" in step ? [] : [root + step.path])
    .filter(pathExists);
  for (const path of new Set([...changed, ...changed.map(dirname)])) {
    if (!isImmutable(path)) continue;
    throw new UsageError(
      `Cannot ${verb}: the kernel refuses to change ${path}, so nothing was changed; if it is immutable ` +
        `(lsattr -d ${path} shows i or a), remove that: chattr -ia ${path}`,
    );
  }
}

/** Whether a file or folder of this user's own can't even be given the rights that it has. */
function isImmutable(path: string): boolean {
  const { isSymlink, uid, mode } = Deno.lstatSync(path);
  if (isSymlink || mode === null || (Deno.uid() !== 0 && uid !== Deno.uid())) return false;
  try {
    Deno.chmodSync(path, mode & 0o7777);
    return false;
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied && /not permitted/.test(error.message);
  }
}
