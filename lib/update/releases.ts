import { describeError } from "../log/log.ts";
import { quoteStart } from "../parse/bounded_text.ts";
import { isNewerVersion, stableVersionOf } from "../parse/version_order.ts";
import { downloadSums, signedVersion, SUMS } from "./checksums.ts";
import type { Downloads } from "./download.ts";

/** How a server that can't be reached looks, as GitHub does from behind some networks. */
const UNREACHED = /: Cannot (?:connect|resolve|start TLS)|no answer within/;
/** Advice where a server of releases can't be reached. */
export const MIRROR_ADVICE = "if this machine can't reach that server, name a mirror: --mirror URL";

/**
 * Prefixes a GitHub address with the mirror, as in `https://mirror/https://github.com/…`.
 *
 * Other addresses, and those that already have the prefix, stay the same; a repeated prefix is
 * reduced to one.
 *
 * @param mirror Without a trailing slash; empty when there is none.
 */
export function mirroredUrl(url: string, mirror: string): string {
  if (mirror === "") return url;
  const prefix = `${mirror}/`;
  let rest = url;
  while (rest.startsWith(prefix) && /^https?:\/\//.test(rest.slice(prefix.length))) {
    rest = rest.slice(prefix.length);
  }
  return rest !== url || isGitHubUrl(rest) ? prefix + rest : url;
}

function isGitHubUrl(url: string): boolean {
  const host = URL.parse(url)?.hostname ?? "";
  return /(?:^|\.)(?:github\.com|githubusercontent\.com)$/.test(host);
}

/** Where releases are, and the versions to compare with. */
export interface ReleaseQuery {
  /** The folder of the newest release's files; empty for that of `repository`. */
  readonly url: string;
  /** The repository on GitHub, as `owner/name`. */
  readonly repository: string;
  readonly mirror: string;
  /** The key that releases are signed with. */
  readonly publicKey: string;
  readonly currentVersion: string;
  /** Versions that failed on this machine within a week. */
  readonly failed: readonly string[];
  /** A version by its exact name, which may be older; the newest release without. */
  readonly wanted?: string | undefined;
}

/** A release, and whether to install it. */
export interface FoundRelease {
  /** By its signed list of checksums; of a pre-release, too. */
  readonly version: string;
  /** Whether to install it, as `newer` and `older`, which was asked for by its name; or why not. */
  readonly decision: "newer" | "older" | "not newer" | "not stable" | "failed before";
  /** Its list of checksums, whose signature is verified. */
  readonly sums: string;
  /** The address of one of its files, with the mirror's prefix. */
  urlOf(name: string): string;
}

/** Where GitHub has the newest release's files; those of version 1.2.3 are in `/download/v1.2.3`. */
const LATEST = /\/latest\/download$/;

/**
 * Looks up the newest release, or the one wanted, and decides: it must be stable, newer than the
 * current version unless it is wanted, and not have failed here.
 *
 * Its signed list of checksums names its version: GitHub's API is not asked, which mirrors do not pass
 * on.
 *
 * @throws {Error} When the list can't be had, is not signed or of another version.
 */
export async function findRelease(
  query: ReleaseQuery,
  options: { downloads: Downloads; signal: AbortSignal },
): Promise<FoundRelease> {
  const { url, repository, mirror, publicKey, wanted } = query;
  const latest = url || `https://github.com/${repository}/releases/latest/download`;
  if (wanted !== undefined && !LATEST.test(latest)) {
    throw new Error(
      `Cannot find version ${wanted}: --update-url does not end with /latest/download, ` +
        "so other versions can't be found there",
    );
  }
  const filesOf = (folder: string) => (name: string) => mirroredUrl(`${folder}/${name}`, mirror);
  const folderOf = (version: string) => latest.replace(LATEST, `/download/v${version}`);
  const found = filesOf(wanted === undefined ? latest : folderOf(wanted));
  const sums = await downloadSums(found, { publicKey, ...options }).catch((error) => {
    const reason = describeError(error);
    if (mirror !== "" || !UNREACHED.test(reason)) throw error;
    throw new Error(`${reason} \u2192 ${MIRROR_ADVICE}`);
  });
  const version = signedVersion(sums);
  if (version === undefined) throw new Error(`Cannot update: ${SUMS} names no version`);
  if (wanted !== undefined && version !== wanted) {
    throw new Error(`Cannot find version ${wanted}: the server offers ${quoteStart(version)}`);
  }
  // From here on by its name: the newest release may change meanwhile.
  return { version, decision: decide(version, query), sums, urlOf: filesOf(folderOf(version)) };
}

function decide(
  version: string,
  { currentVersion, failed, wanted }: ReleaseQuery,
): FoundRelease["decision"] {
  if (stableVersionOf(version) === undefined) return "not stable";
  const isNewer = isNewerVersion(version, currentVersion);
  const isWanted = version === wanted && version !== stableVersionOf(currentVersion);
  if (!isNewer && !isWanted) return "not newer";
  if (failed.includes(version)) return "failed before";
  return isNewer ? "newer" : "older";
}
