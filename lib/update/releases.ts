import { quoteStart } from "../parse/bounded_text.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { isNewerVersion, stableVersionOf } from "../parse/version_order.ts";
import { downloadSums, listedNames, SIGNATURE, signedVersion, SUMS } from "./checksums.ts";
import type { Downloads } from "./download.ts";

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

/** A release in GitHub's API. */
export interface Release {
  readonly tag: string;
  /** Also true for a draft. */
  readonly isPrerelease: boolean;
  /** The addresses of its files, by name. */
  readonly files: ReadonlyMap<string, string>;
}

/** More than any release has. */
const MAX_FILES = 200;

/**
 * Parses the answer of `GET /repos/OWNER/NAME/releases/latest`.
 *
 * Files with invalid fields are ignored, and reported as missing when needed.
 *
 * @throws {SyntaxError} When the text is no release; the message quotes its beginning.
 */
export function parseRelease(text: string): Release {
  const { tag_name: tag, draft, prerelease, assets } = jsonFields(parseJson(text));
  if (typeof tag !== "string" || tag.length > 100 || !Array.isArray(assets)) {
    const start = quoteStart(text, 80);
    throw new SyntaxError(`Cannot parse the release: it begins with ${start}`);
  }
  return {
    tag,
    isPrerelease: draft === true || prerelease === true,
    files: new Map(assets.slice(0, MAX_FILES).flatMap(parseFile)),
  };
}

function parseFile(value: unknown): [name: string, url: string][] {
  const { name, browser_download_url: url } = jsonFields(value);
  if (typeof name !== "string" || typeof url !== "string") return [];
  return /^https?:\/\//.test(url) && URL.canParse(url) ? [[name, url]] : [];
}

/** Where releases are, and the versions to compare with. */
export interface ReleaseQuery {
  /** The latest release, in the form of GitHub's API; empty for those of `repository`. */
  readonly url: string;
  /** The repository on GitHub, as `owner/name`. */
  readonly repository: string;
  readonly mirror: string;
  /** The key that releases are signed with. */
  readonly publicKey: string;
  readonly currentVersion: string;
  /** Versions that failed on this machine within a week. */
  readonly failed: readonly string[];
  /** A version by its exact name, which may be older; the latest release without. */
  readonly wanted?: string | undefined;
}

/** A release, and whether to install it. */
export interface FoundRelease {
  /** `undefined` for a pre-release or an unknown tag. */
  readonly version: string | undefined;
  /** The tag as it is. */
  readonly tag: string;
  /** Whether to install it, as `newer` and `older`, which was asked for by its name; or why not. */
  readonly decision: "newer" | "older" | "not newer" | "not stable" | "failed before";
  /** The addresses of its files, by name, with the mirror's prefix. */
  readonly files: ReadonlyMap<string, string>;
}

const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * Looks up the latest release, or the one wanted, and decides: it must be stable, newer than the
 * current version unless it is wanted, and not have failed here.
 *
 * @throws {Error} When the query fails, or the answer is not signed or of another version.
 */
export async function findRelease(
  query: ReleaseQuery,
  options: { downloads: Downloads; signal: AbortSignal },
): Promise<FoundRelease> {
  const { url, mirror, wanted } = query;
  const { tag, isPrerelease, files } = url === ""
    ? await signedRelease(query, options)
    : await describedRelease(query, options);
  const version = isPrerelease ? undefined : stableVersionOf(tag);
  if (wanted !== undefined && version !== wanted) {
    throw new Error(`Cannot find version ${wanted}: the answer is about ${quoteStart(tag)}`);
  }
  return {
    tag,
    version,
    decision: decide(version, query),
    files: new Map(Array.from(files, ([name, url]) => [name, mirroredUrl(url, mirror)])),
  };
}

/**
 * The release by its signed list of checksums, which names its version, and without GitHub's API,
 * which mirrors do not pass on.
 */
async function signedRelease(
  { repository, mirror, publicKey, wanted }: ReleaseQuery,
  options: { downloads: Downloads; signal: AbortSignal },
): Promise<Release> {
  const releases = `https://github.com/${repository}/releases`;
  const found = wanted === undefined ? `${releases}/latest/download` : folderOf(`v${wanted}`);
  const urlOf = (name: string) => mirroredUrl(`${found}/${name}`, mirror);
  const sums = await downloadSums(urlOf, { publicKey, ...options });
  const version = signedVersion(sums);
  if (version === undefined) throw new Error(`Cannot update: ${SUMS} names no version`);
  // From here on by its name: the latest release may change meanwhile.
  const tag = `v${version}`;
  const names = [...listedNames(sums), SUMS, SIGNATURE];
  const files = new Map(names.map((name) => [name, `${folderOf(tag)}/${name}`]));
  return { tag, isPrerelease: false, files };

  function folderOf(tag: string): string {
    return `${releases}/download/${tag}`;
  }
}

/** The release as GitHub's API describes it. */
async function describedRelease(
  { url: latest, mirror, wanted }: ReleaseQuery,
  { downloads, signal }: { downloads: Downloads; signal: AbortSignal },
): Promise<Release> {
  const url = wanted === undefined ? latest : latest.replace(/\/latest$/, `/tags/v${wanted}`);
  if (wanted !== undefined && url === latest) {
    throw new Error(
      `Cannot find version ${wanted}: --update-url does not end with /latest, so it names no others`,
    );
  }
  const options = { maxBytes: MAX_ANSWER_BYTES, signal };
  return parseRelease(await downloads.text(mirroredUrl(url, mirror), options));
}

function decide(
  version: string | undefined,
  { currentVersion, failed, wanted }: ReleaseQuery,
): FoundRelease["decision"] {
  if (version === undefined) return "not stable";
  const isNewer = isNewerVersion(version, currentVersion);
  const isWanted = version === wanted && version !== stableVersionOf(currentVersion);
  if (!isNewer && !isWanted) return "not newer";
  if (failed.includes(version)) return "failed before";
  return isNewer ? "newer" : "older";
}
