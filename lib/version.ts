import manifest from "../deno.json" with { type: "json" };
import build from "./build.json" with { type: "json" };

/** The program's version: the tag that it was built from, else that of `deno.json`. */
export const VERSION: string = build.version || manifest.version;

/** The commit that it was built from; empty in a checkout. */
export const COMMIT: string = build.commit;

/** The GitHub repository of releases, as `owner/name`; empty in a checkout. */
export const REPOSITORY: string = build.repository;

/** The public key that releases are signed with; empty in a checkout, which takes no updates. */
export const RELEASE_KEY: string = build.releaseKey;

/** The name of the program, and of its service unless `install` is given another. */
export const PROGRAM = "komari-agent-deno";

/** Value of the User-Agent header. */
export const USER_AGENT = `${PROGRAM}/${VERSION}`;

/** Whether a release address is known, from the build or from `--update-url`. */
export function knowsReleases({ updateUrl }: { readonly updateUrl: string }): boolean {
  return updateUrl !== "" || REPOSITORY !== "";
}

/**
 * The public key that releases are verified with: that of `--update-key` for those of
 * `--update-url`, else the build's; empty if there is none.
 */
export function releaseKey(
  { updateUrl, updateKey }: { readonly updateUrl: string; readonly updateKey: string },
): string {
  return updateUrl !== "" && updateKey !== "" ? updateKey : RELEASE_KEY;
}
