import type { ServicePlan } from "./service_plan.ts";

/**
 * What a portable build needs to know: its Deno, and a folder for what that remembers.
 *
 * That folder is never shared by two users: the one with fewer rights could make the other write
 * where he likes.
 */
export function denoVariables(
  { deno }: Pick<ServicePlan, "deno">,
  { folder }: { folder: string },
): Record<string, string> {
  return deno === undefined ? {} : { DENO: deno, DENO_DIR: `${folder}/deno` };
}
