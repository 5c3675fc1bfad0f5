import { PROGRAM } from "../version.ts";
import type { Downloads } from "./download.ts";
import { fileSha256, type ProgramFiles } from "./program_files.ts";
import type { ReleaseFile } from "./releases.ts";
import { downloadSums, findSha256, signedVersion, SUMS } from "./checksums.ts";
import { SIGNATURE } from "./signature.ts";

/** Enough of a file's beginning to recognize its target. */
export const EXECUTABLE_HEAD_BYTES = 20;

/** Offset of the machine in an ELF header, and its values. */
const ELF_MACHINE_AT = 18;
const ELF_MACHINES: ReadonlyMap<number, string> = new Map([[0x3e, "amd64"], [0xb7, "arm64"]]);
const MACH_PROCESSORS: ReadonlyMap<number, string> = new Map([
  [0x0100_0007, "amd64"],
  [0x0100_000c, "arm64"],
]);
const MACH_64 = 0xfeed_facf;

/**
 * The target of an executable by its first bytes: `linux-amd64`, `darwin-arm64` and so on for 64
 * bits, `portable` for a script; `undefined` for anything else, such as an HTML page.
 */
export function executableTarget(head: Uint8Array): string | undefined {
  if (head[0] === 0x23 && head[1] === 0x21) return "portable";
  if (head.length < EXECUTABLE_HEAD_BYTES) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.getUint32(0, true) === MACH_64) {
    return target("darwin", MACH_PROCESSORS.get(view.getUint32(4, true)));
  }
  const isElf = view.getUint32(0) === 0x7f45_4c46;
  const is64Bits = head[4] === 2 && head[5] === 1;
  if (!isElf || !is64Bits) return undefined;
  return target("linux", ELF_MACHINES.get(view.getUint16(ELF_MACHINE_AT, true)));
}

function target(os: string, arch: string | undefined): string | undefined {
  return arch === undefined ? undefined : `${os}-${arch}`;
}

/** Several times the size of a build. */
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
 * signed, and so is the version where the list names it. After a failure nothing is left of it.
 *
 * @throws {Error} When it is missing, can't be downloaded or written, or fails verification.
 */
export async function fetchProgram(
  release: readonly ReleaseFile[],
  wanted: WantedProgram,
): Promise<string> {
  const { target, files, downloads, signal } = wanted;
  const asset = release.find(({ name }) => name === `${PROGRAM}-${target}`);
  if (asset === undefined) {
    throw new Error(`Cannot update: the release has no program for ${target}`);
  }
  const sha256 = await expectedSha256(release, asset, wanted);
  try {
    {
      using file = await files.createStaged();
      const { sizeBytes } = asset;
      await downloads.file(asset.url, { file, sizeBytes, maxBytes: MAX_PROGRAM_BYTES, signal });
    }
    await verify(files.stagedPath, { target, sha256 });
    await files.finishStaged();
    return sha256;
  } catch (error) {
    await files.removeTemporary();
    throw error;
  }
}

async function expectedSha256(
  release: readonly ReleaseFile[],
  asset: ReleaseFile,
  { version, publicKey, downloads, signal }: WantedProgram,
): Promise<string> {
  const { name, sizeBytes, sha256: apiSha256 } = asset;
  if (sizeBytes === 0 || (sizeBytes ?? 0) > MAX_PROGRAM_BYTES) {
    throw new Error(`Cannot update: ${name} has ${sizeBytes} bytes, which is not plausible`);
  }
  const sums = await downloadSums([fileUrl(SUMS), fileUrl(SIGNATURE)], {
    publicKey,
    downloads,
    signal,
  });
  const signed = signedVersion(sums);
  if (signed !== undefined && signed !== version) {
    throw new Error(`Cannot update: ${SUMS} is of version ${signed}, not ${version}`);
  }
  const sha256 = findSha256(sums, name);
  if (sha256 === undefined) throw new Error(`Cannot update: ${SUMS} does not list ${name}`);
  if (apiSha256 !== undefined && apiSha256 !== sha256) {
    throw new Error(`Cannot update: ${SUMS} and the GitHub API disagree on ${name}`);
  }
  return sha256;

  function fileUrl(name: string): string {
    const file = release.find((file) => file.name === name);
    if (file === undefined) throw new Error(`Cannot update: the release has no ${name}`);
    return file.url;
  }
}

async function verify(path: string, asset: { target: string; sha256: string }): Promise<void> {
  if (await fileSha256(path) !== asset.sha256) {
    throw new Error("Cannot update: the downloaded file has the wrong SHA-256");
  }
  const head = new Uint8Array(EXECUTABLE_HEAD_BYTES);
  const file = await Deno.open(path);
  using _ = file;
  const length = await file.read(head) ?? 0;
  const target = executableTarget(head.subarray(0, length));
  if (target !== asset.target) {
    const what = target === undefined ? "not a program" : `a program for ${target}`;
    throw new Error(`Cannot update: the file for ${asset.target} is ${what}`);
  }
}
