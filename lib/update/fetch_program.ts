import { PROGRAM } from "../version.ts";
import type { Downloads } from "./download.ts";
import { fileSha256, type ProgramFiles } from "./program_files.ts";
import { downloadSums, findSha256, signedSize, signedVersion, SUMS } from "./checksums.ts";

/** Several times the size of a build, where the release does not state it. */
const MAX_PROGRAM_BYTES = 512 * 1024 * 1024;

/** A program of a release, and where it is downloaded to. */
export interface WantedProgram {
  /** The build for this machine, such as `linux-amd64`. */
  readonly target: string;
  /** The version that the release is said to be. */
  readonly version: string;
  /** The key that releases are signed with. */
  readonly publicKey: string;
  readonly files: ProgramFiles;
  readonly downloads: Downloads;
  readonly signal: AbortSignal;
}

/**
 * Downloads a release's program for a target beside the present one, and returns its SHA-256.
 *
 * The file is synced and verified, and has not been run: its SHA-256 is in `SHA256SUMS`, which is
 * signed, and so are the version and the size where the list names them. After a failure nothing is left of it.
 *
 * @param release The addresses of the release's files, by name.
 * @throws {Error} When it is missing, can't be downloaded or written, or fails verification.
 */
export async function fetchProgram(
  release: ReadonlyMap<string, string>,
  wanted: WantedProgram,
): Promise<string> {
  const { target, files, downloads, signal } = wanted;
  const name = `${PROGRAM}-${target}`;
  const url = release.get(name);
  if (url === undefined) {
    throw new Error(`Cannot update: the release has no program for ${target}`);
  }
  const { sha256, maxBytes } = await signedFile(release, name, wanted);
  try {
    {
      using file = await files.createStaged();
      await downloads.file(url, { file, maxBytes, signal });
    }
    if (await fileSha256(files.stagedPath) !== sha256) {
      throw new Error("Cannot update: the downloaded file has the wrong SHA-256");
    }
    await files.finishStaged();
    return sha256;
  } catch (error) {
    await files.removeTemporary();
    throw error;
  }
}

/** What is signed of a file: its SHA-256, and the bytes that it has at most. */
async function signedFile(
  release: ReadonlyMap<string, string>,
  name: string,
  { version, publicKey, downloads, signal }: WantedProgram,
): Promise<{ sha256: string; maxBytes: number }> {
  const sums = await downloadSums(fileUrl, { publicKey, downloads, signal });
  const signed = signedVersion(sums);
  if (signed !== undefined && signed !== version) {
    throw new Error(`Cannot update: ${SUMS} is of version ${signed}, not ${version}`);
  }
  const sha256 = findSha256(sums, name);
  if (sha256 === undefined) throw new Error(`Cannot update: ${SUMS} does not list ${name}`);
  return { sha256, maxBytes: signedSize(sums, name) ?? MAX_PROGRAM_BYTES };

  function fileUrl(name: string): string {
    const url = release.get(name);
    if (url === undefined) throw new Error(`Cannot update: the release has no ${name}`);
    return url;
  }
}
