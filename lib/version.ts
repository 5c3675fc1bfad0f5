import manifest from "../deno.json" with { type: "json" };
import build from "./build.json" with { type: "json" };

/** The program's version: the tag that it was built from, else that of `deno.json`. */
export const VERSION: string = build.version || manifest.version;

/** The commit that it was built from; empty in a checkout. */
export const COMMIT: string = build.commit;

/** Where releases come from, as `owner/name` on GitHub; the build says so, a checkout has none. */
export const REPOSITORY: string = build.repository;

/** How the program names itself to servers. */
export const USER_AGENT = `komari-agent-deno/${VERSION}`;

/** Whether it is known where newer versions come from: by the build, or because somebody said it. */
export function knowsReleases({ url }: { readonly url: string }): boolean {
  return url !== "" || REPOSITORY !== "";
}
