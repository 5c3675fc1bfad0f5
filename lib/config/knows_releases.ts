import { REPOSITORY } from "../version.ts";

/** Whether it is known where newer versions come from: by the build, or because somebody said it. */
export function knowsReleases({ url }: { readonly url: string }): boolean {
  return url !== "" || REPOSITORY !== "";
}
