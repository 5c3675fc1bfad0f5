/** A release, as GitHub's API describes it. */
export interface Release {
  readonly tag: string;
  /** A draft, or a preview of what is to come. */
  readonly isUnfinished: boolean;
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
    const begin = JSON.stringify(text.slice(0, 80));
    throw new SyntaxError(`Cannot parse the release: it begins with ${begin}`);
  }
  return {
    tag,
    isUnfinished: draft === true || prerelease === true,
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
