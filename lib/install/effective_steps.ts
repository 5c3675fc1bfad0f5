import { isThere } from "./is_there.ts";
import type { Site } from "./site.ts";
import type { Step } from "./step.ts";

/**
 * The steps without those that would remove what is not there, or what another one removes as well:
 * what a user wants to see, while those who do them all miss nothing that comes up meanwhile.
 */
export function effectiveSteps(
  steps: readonly Step[],
  { root }: Pick<Site, "root">,
): Step[] {
  const trees = steps.flatMap((step) => step.do === "remove folder" ? [step.path] : []);
  const seen = new Set<string>();
  return steps.filter((step) => {
    if (!step.do.startsWith("remove") || !("path" in step)) return true;
    const { path } = step;
    const isInTree = trees.some((tree) => path.startsWith(`${tree}/`)) ||
      (step.do !== "remove folder" && trees.includes(path));
    if (isInTree || seen.has(path) || !isThere(root + path)) return false;
    seen.add(path);
    return true;
  });
}
