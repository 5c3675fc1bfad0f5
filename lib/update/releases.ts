import { quoteStart } from "../parse/bounded_text.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
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
  readonly files: readonly ReleaseFile[];
}

/** A file of a release. */
export interface ReleaseFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly url: string;
  /** In lower-case hex; absent where the API does not state it. */
  readonly sha256?: string;
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
    files: assets.slice(0, MAX_FILES).flatMap((it) => parseFile(it) ?? []),
  };
}

function parseFile(value: unknown): ReleaseFile | undefined {
  const { name, size, browser_download_url: url, digest } = jsonFields(value);
  if (typeof name !== "string" || typeof url !== "string" || typeof size !== "number") return;
  if (!Number.isSafeInteger(size) || size < 0 || !/^https?:\/\//.test(url)) return undefined;
  if (!URL.canParse(url)) return undefined;
  const [, sha256] = typeof digest === "string"
    ? /^sha256:([0-9a-f]{64})$/i.exec(digest) ?? []
    : [];
  return { name, sizeBytes: size, url, ...(sha256 && { sha256: sha256.toLowerCase() }) };
}

const FORM = /^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;

/** The version of a tag, without `v`; `undefined` for pre-releases and other tags. */
export function stableVersionOf(tag: string): string | undefined {
  const [, major, minor, patch, preview] = FORM.exec(tag) ?? [];
  if (major === undefined || preview !== undefined) return undefined;
  return [major, minor, patch].map(Number).join(".");
}

/**
 * Whether a stable version is newer than the current one, by semantic versioning. False when either
 * is no version.
 */
export function isNewerVersion(stable: string, currentVersion: string): boolean {
  const [whole, ...theirs] = FORM.exec(stable) ?? [];
  const [found, ...ours] = FORM.exec(currentVersion) ?? [];
  if (whole === undefined || found === undefined || theirs[3] !== undefined) return false;
  for (let part = 0; part < 3; part++) {
    const difference = Number(theirs[part]) - Number(ours[part]);
    if (difference !== 0) return difference > 0;
  }
  return ours[3] !== undefined;
}

/** The release server, and the versions to compare with. */
export interface ReleaseQuery {
  /** The latest release, in the form of GitHub's API. */
  readonly url: string;
  readonly mirror: string;
  readonly currentVersion: string;
  /** Versions that failed on this machine within a week. */
  readonly failed: readonly string[];
}

/** The latest release, and whether to install it. */
export interface FoundRelease {
  /** `undefined` for a pre-release or an unknown tag. */
  readonly version: string | undefined;
  /** The tag as it is. */
  readonly tag: string;
  /** Whether to install it, or why not. */
  readonly decision: "newer" | "not newer" | "not stable" | "failed before";
  /** Addresses with the mirror's prefix. */
  readonly files: readonly ReleaseFile[];
}

const MAX_ANSWER_BYTES = 1024 * 1024;

/** GitHub's API address of a repository's latest release. */
export function latestReleaseUrl(repository: string): string {
  return `https://api.github.com/repos/${repository}/releases/latest`;
}

/**
 * Queries the latest release and decides: it must be stable, newer than the current version, and
 * not have failed here.
 *
 * @throws {Error} When the query fails.
 */
export async function findRelease(
  query: ReleaseQuery,
  { downloads, signal }: { downloads: Downloads; signal: AbortSignal },
): Promise<FoundRelease> {
  const { mirror } = query;
  const url = mirroredUrl(query.url, mirror);
  const text = await downloads.text(url, { maxBytes: MAX_ANSWER_BYTES, signal });
  const { tag, isPrerelease, files } = parseRelease(text);
  const version = isPrerelease ? undefined : stableVersionOf(tag);
  return {
    tag,
    version,
    decision: decide(version, query),
    files: files.map((file) => ({ ...file, url: mirroredUrl(file.url, mirror) })),
  };
}

function decide(
  version: string | undefined,
  { currentVersion, failed }: ReleaseQuery,
): FoundRelease["decision"] {
  if (version === undefined) return "not stable";
  if (!isNewerVersion(version, currentVersion)) return "not newer";
  return failed.includes(version) ? "failed before" : "newer";
}
