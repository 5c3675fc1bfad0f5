import { mirroredUrl } from "../parse/mirrored_url.ts";
import { parseRelease, type ReleaseFile } from "../parse/release.ts";
import { isNewerVersion, stableVersionOf } from "../parse/version_order.ts";
import type { Downloads } from "./downloads.ts";

/** Where releases are, and what they are held against. */
export interface ReleaseQuestion {
  /** The newest release, in the form of GitHub's API. */
  readonly url: string;
  readonly mirror: string;
  /** The version that is there. */
  readonly present: string;
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
  readonly verdict: "newer" | "not newer" | "not stable" | "failed before";
  /** Its files, at addresses by the mirror. */
  readonly files: readonly ReleaseFile[];
}

const MAX_ANSWER_BYTES = 1024 * 1024;

/** Where GitHub tells a repository's newest release. */
export function newestReleaseUrl(repository: string): string {
  return `https://api.github.com/repos/${repository}/releases/latest`;
}

/**
 * Asks for the newest release, and judges whether it is one to take: a stable one, later than the
 * present one, that has not failed here.
 *
 * @throws {Error} When it can't be found out.
 */
export async function findRelease(
  question: ReleaseQuestion,
  { downloads, signal }: { downloads: Downloads; signal: AbortSignal },
): Promise<FoundRelease> {
  const { mirror, present, failed } = question;
  const url = mirroredUrl(question.url, mirror);
  const text = await downloads.text(url, { maxBytes: MAX_ANSWER_BYTES, signal });
  const { tag, isUnfinished, files } = parseRelease(text);
  const version = isUnfinished ? undefined : stableVersionOf(tag);
  return {
    tag,
    version,
    verdict: verdictOn(version, { present, failed }),
    files: files.map((file) => ({ ...file, url: mirroredUrl(file.url, mirror) })),
  };
}

function verdictOn(
  version: string | undefined,
  { present, failed }: Pick<ReleaseQuestion, "present" | "failed">,
): FoundRelease["verdict"] {
  if (version === undefined) return "not stable";
  if (!isNewerVersion(version, present)) return "not newer";
  return failed.includes(version) ? "failed before" : "newer";
}
