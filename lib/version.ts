import manifest from "../deno.json" with { type: "json" };
import build from "./build.json" with { type: "json" };

/** The program's version: the tag that it was built from, else that of `deno.json`. */
export const VERSION: string = build.version || manifest.version;

/** The commit that it was built from; empty in a checkout. */
export const COMMIT: string = build.commit;

/** The GitHub repository of releases, as `owner/name`; empty in a checkout. */
export const REPOSITORY: string = build.repository;

/** Value of the User-Agent header. */
export const USER_AGENT = `komari-agent-deno/${VERSION}`;

/** Whether it is known where newer versions come from: by the build, or because somebody said it. */
export function knowsReleases({ url }: { readonly url: string }): boolean {
  return url !== "" || REPOSITORY !== "";
}
