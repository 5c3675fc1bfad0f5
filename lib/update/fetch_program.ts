import { EXECUTABLE_HEAD_BYTES, executableTarget } from "../parse/executable_target.ts";
import type { ReleaseFile } from "../parse/release.ts";
import { findSha256 } from "../parse/sha256_sums.ts";
import type { Downloads } from "./downloads.ts";
import { fileSha256 } from "./file_sha256.ts";
import type { ProgramFiles } from "./program_files.ts";

/** The list of hashes among a release's files. */
const SUMS = "SHA256SUMS";
const MAX_SUMS_BYTES = 64 * 1024;
/** Several times what a build has. */
const MAX_PROGRAM_BYTES = 512 * 1024 * 1024;

/**
 * Downloads a release's program for a target beside the present one, and gives its SHA-256.
 *
 * It is on the disk then, whole, and what the release says it is; nothing of it has run. When
 * something is wrong nothing is left of it.
 *
 * @throws {Error} When it is missing, can't be had or written, or is not what was promised.
 */
export async function fetchProgram(
  release: readonly ReleaseFile[],
  { target, files, downloads, signal }: {
    target: string;
    files: ProgramFiles;
    downloads: Downloads;
    signal: AbortSignal;
  },
): Promise<string> {
  const promised = release.find(({ name }) => name === `komari-agent-deno-${target}`);
  if (promised === undefined) {
    throw new Error(`Cannot update: the release has no program for ${target}`);
  }
  const sha256 = await promisedSha256(release, { promised, downloads, signal });
  try {
    {
      using file = await files.openFresh();
      await downloads.file(promised.url, { file, sizeBytes: promised.sizeBytes, signal });
    }
    await verify(files.fresh, { target, sha256 });
    await files.finishFresh();
    return sha256;
  } catch (error) {
    await files.removeUnfinished();
    throw error;
  }
}

async function promisedSha256(
  release: readonly ReleaseFile[],
  { promised, downloads, signal }: {
    promised: ReleaseFile;
    downloads: Downloads;
    signal: AbortSignal;
  },
): Promise<string> {
  const { name, sizeBytes, sha256: attested } = promised;
  if (sizeBytes === 0 || sizeBytes > MAX_PROGRAM_BYTES) {
    throw new Error(`Cannot update: ${name} has ${sizeBytes} bytes, which no program has`);
  }
  const list = release.find((file) => file.name === SUMS);
  if (list === undefined) throw new Error(`Cannot update: the release has no ${SUMS}`);
  const sums = await downloads.text(list.url, { maxBytes: MAX_SUMS_BYTES, signal });
  const sha256 = findSha256(sums, name);
  if (sha256 === undefined) throw new Error(`Cannot update: ${SUMS} does not tell of ${name}`);
  if (attested !== undefined && attested !== sha256) {
    throw new Error(`Cannot update: ${SUMS} and the release's description differ on ${name}`);
  }
  return sha256;
}

async function verify(path: string, promised: { target: string; sha256: string }): Promise<void> {
  if (await fileSha256(path) !== promised.sha256) {
    throw new Error("Cannot update: the file that was downloaded has another SHA-256");
  }
  const head = new Uint8Array(EXECUTABLE_HEAD_BYTES);
  using file = await Deno.open(path);
  const length = await file.read(head) ?? 0;
  const target = executableTarget(head.subarray(0, length));
  if (target !== promised.target) {
    const what = target === undefined ? "no program" : `a program for ${target}`;
    throw new Error(`Cannot update: the file for ${promised.target} is ${what}`);
  }
}
