import type { Downloads } from "./download.ts";

/**
 * An address of GitHub with the mirror's before it, as in `https://mirror/https://github.com/…`.
 *
 * Others stay as they are, and so do those that lead by the mirror already; a mirror that stands
 * there twice stands there once.
 *
 * @param mirror Without a slash at its end; empty when there is none.
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

/** A release, as GitHub's API describes it. */
export interface Release {
  readonly tag: string;
  /** A draft, or a preview of what is to come. */
  readonly isPrerelease: boolean;
  readonly files: readonly ReleaseFile[];
}

/** A file of a release. */
export interface ReleaseFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly url: string;
  /** In small hexadecimal digits; absent where the API does not tell it. */
  readonly sha256?: string;
}

/** More than any release has. */
const MAX_FILES = 200;

/**
 * Reads the answer of `GET /repos/OWNER/NAME/releases/latest`.
 *
 * Files whose description is odd are left out, since whoever looks for one sees that it is missing.
 *
 * @throws {SyntaxError} When it is no such answer; the message quotes how it begins.
 */
export function parseRelease(text: string): Release {
  const release = parseObject(text);
  const { tag_name: tag, draft, prerelease, assets } = release ?? {};
  if (typeof tag !== "string" || tag.length > 100 || !Array.isArray(assets)) {
    const start = JSON.stringify(text.slice(0, 80));
    throw new SyntaxError(`Cannot parse the release: it begins with ${start}`);
  }
  return {
    tag,
    isPrerelease: draft === true || prerelease === true,
    files: assets.slice(0, MAX_FILES).flatMap((it) => parseFile(it) ?? []),
  };
}

function parseFile(value: unknown): ReleaseFile | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { name, size, browser_download_url: url, digest }: Record<string, unknown> = { ...value };
  if (typeof name !== "string" || typeof url !== "string" || typeof size !== "number") return;
  if (!Number.isSafeInteger(size) || size < 0 || !/^https?:\/\//.test(url)) return undefined;
  if (!URL.canParse(url)) return undefined;
  const [, sha256] = typeof digest === "string"
    ? /^sha256:([0-9a-f]{64})$/i.exec(digest) ?? []
    : [];
  return { name, sizeBytes: size, url, ...(sha256 && { sha256: sha256.toLowerCase() }) };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

const FORM = /^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;

/** The version that a tag names, without its `v`; `undefined` when it is none, or not a stable one. */
export function stableVersionOf(tag: string): string | undefined {
  const [, major, minor, patch, preview] = FORM.exec(tag) ?? [];
  if (major === undefined || preview !== undefined) return undefined;
  return [major, minor, patch].map(Number).join(".");
}

/**
 * Whether a stable version comes after the present one, by the order of semantic versioning; a
 * preview comes before what it is a preview of. What is no version comes after nothing, and nothing
 * after it.
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

/** Where releases are, and what they are held against. */
export interface ReleaseQuery {
  /** The newest release, in the form of GitHub's API. */
  readonly url: string;
  readonly mirror: string;
  /** The version that is there. */
  readonly currentVersion: string;
  /** Versions that have failed here. */
  readonly failed: readonly string[];
}

/** What there is. */
export interface FoundRelease {
  /** The newest version; `undefined` when it is none for everybody, such as a preview. */
  readonly version: string | undefined;
  /** How it is called there. */
  readonly tag: string;
  /** Whether it should be taken, or why not. */
  readonly decision: "newer" | "not newer" | "not stable" | "failed before";
  /** Its files, at addresses by the mirror. */
  readonly files: readonly ReleaseFile[];
}

const MAX_ANSWER_BYTES = 1024 * 1024;

/** Where GitHub tells a repository's newest release. */
export function latestReleaseUrl(repository: string): string {
  return `https://api.github.com/repos/${repository}/releases/latest`;
}

/**
 * Asks for the newest release, and judges whether it is one to take: a stable one, later than the
 * present one, that has not failed here.
 *
 * @throws {Error} When it can't be found out.
 */
export async function findRelease(
  query: ReleaseQuery,
  { downloads, signal }: { downloads: Downloads; signal: AbortSignal },
): Promise<FoundRelease> {
  const { mirror, currentVersion, failed } = query;
  const url = mirroredUrl(query.url, mirror);
  const text = await downloads.text(url, { maxBytes: MAX_ANSWER_BYTES, signal });
  const { tag, isPrerelease, files } = parseRelease(text);
  const version = isPrerelease ? undefined : stableVersionOf(tag);
  return {
    tag,
    version,
    decision: decide(version, { currentVersion, failed }),
    files: files.map((file) => ({ ...file, url: mirroredUrl(file.url, mirror) })),
  };
}

function decide(
  version: string | undefined,
  { currentVersion, failed }: Pick<ReleaseQuery, "currentVersion" | "failed">,
): FoundRelease["decision"] {
  if (version === undefined) return "not stable";
  if (!isNewerVersion(version, currentVersion)) return "not newer";
  return failed.includes(version) ? "failed before" : "newer";
}
