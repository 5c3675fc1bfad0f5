import { parsePublicKey } from "../lib/config/parsers.ts";
import { run } from "./run.ts";

/** The content of `lib/build.json`. */
export interface ProgramInfo {
  readonly version: string;
  /** The commit's hash; empty outside of a checkout. */
  readonly commit: string;
  /** The repository of its releases, as `owner/name` on GitHub; empty when there is none. */
  readonly repository: string;
  /** The public key of its releases in Base64; empty for a build that takes no updates. */
  readonly releaseKey: string;
}

/** The version's form, as in `1.2.3` or `1.2.3-rc.1`. */
const VERSION = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

/**
 * Collects what a build is stamped with: on GitHub from its variables, elsewhere from `deno.json`
 * and git.
 *
 * @throws {Error} When the version or the key is invalid, or a release would have pages without the
 * repository's name.
 */
export async function programInfo(
  folder: string,
  options: { env: Readonly<Record<string, string>>; version?: string | undefined },
): Promise<ProgramInfo> {
  const { env } = options;
  const manifest: unknown = JSON.parse(await Deno.readTextFile(`${folder}/deno.json`));
  const tag = env.GITHUB_REF_TYPE === "tag" ? env.GITHUB_REF_NAME?.replace(/^v/, "") : undefined;
  const version = options.version ?? tag ?? textOf(manifest, "version");
  if (!VERSION.test(version)) {
    throw new Error(`Cannot build version "${version}": it does not look like 1.2.3`);
  }
  const named = textOf(manifest, "repository");
  if (tag !== undefined && named === "") {
    throw new Error(
      "Cannot release: deno.json names no repository, so the pages have a placeholder; set " +
        "`repository` to owner/name and run `deno task docs`",
    );
  }
  const releaseKey = env.RELEASE_PUBLIC_KEY || textOf(manifest, "releaseKey");
  if (releaseKey !== "") requirePublicKey(releaseKey);
  return {
    version,
    commit: env.GITHUB_SHA || await headOf(folder),
    repository: env.GITHUB_REPOSITORY || named,
    releaseKey,
  };
}

function requirePublicKey(key: string): void {
  try {
    parsePublicKey(key);
  } catch (cause) {
    throw new Error("Cannot build with RELEASE_PUBLIC_KEY: it is no Ed25519 public key", { cause });
  }
}

async function headOf(folder: string): Promise<string> {
  try {
    return (await run("git", ["rev-parse", "HEAD"], { folder })).trim();
  } catch {
    // A source archive has no commit, and git may be missing.
    return "";
  }
}

function textOf(manifest: unknown, key: string): string {
  if (typeof manifest !== "object" || manifest === null) return "";
  const value: unknown = Reflect.get(manifest, key);
  return typeof value === "string" ? value : "";
}
