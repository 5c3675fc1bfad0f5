/**
 * Packs the programs in `dist/` as `.deb` and `.rpm`, for amd64 and arm64, and adds both to the
 * checksums. Where `dist/` has no compiled program, the package holds the portable one.
 *
 * nfpm does the packing; it is found on the path, or by `$NFPM`.
 *
 * @module
 */

import { gzipSync } from "node:zlib";
import { completions } from "../lib/cli/completions.ts";
import { licensesText } from "../lib/cli/licenses.ts";
import { manPage } from "../lib/cli/man_page.ts";
import {
  PACKAGE_KINDS,
  PACKAGE_MARKER,
  PACKAGED_PROGRAM,
  type PackageKind,
} from "../lib/host/this_program.ts";
import { basename, dirname } from "../lib/parse/path.ts";
import {
  EMPTY_CONFIG,
  PACKAGE_CONDITION,
  PACKAGE_ORIGIN,
  packagedPlan,
} from "../lib/service/packaged_service.ts";
import { DESCRIPTION } from "../lib/service/service_manager.ts";
import { systemdUnit } from "../lib/service/systemd.ts";
import { signedVersion } from "../lib/update/checksums.ts";
import { PROGRAM } from "../lib/version.ts";
import { checksumLines } from "./compile.ts";
import { PORTABLE_NAME } from "./portable.ts";
import { type ProgramInfo, programInfo } from "./program_info.ts";
import { run } from "./run.ts";

/** The version of nfpm that releases are packed with. */
export const NFPM_VERSION = "v2.43.0";

/** The processors that there are packages for, by their names in Go. */
export const ARCHITECTURES = ["amd64", "arm64"] as const;

const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);
const MAINTAINER = "komari-agent-deno contributors <noreply@github.com>";
const SUMMARY = "agent that reports this machine to a Komari panel";

/** The time of files without a commit, in seconds since 1970: older ones are taken for a mistake. */
const NO_COMMIT_TIME = Date.UTC(2026, 0, 1) / 1000;

/** What a package is made of. */
export interface PackageSource {
  readonly info: ProgramInfo;
  readonly arch: typeof ARCHITECTURES[number];
  readonly form: "binary" | "portable";
  /** Path of the program. */
  readonly program: string;
  /** The time of all files, in seconds since 1970. */
  readonly timestamp: number;
}

/** A file of a package. */
export interface PackageFile {
  readonly path: string;
  readonly content: string | Uint8Array;
  readonly mode: number;
  /** Whether it is kept, as it was changed, on upgrade. */
  readonly isConfig?: boolean;
  /** The kind of package that it is for; both without. */
  readonly kind?: PackageKind;
}

if (import.meta.main) {
  try {
    const [unknown] = Deno.args;
    if (unknown !== undefined) {
      throw new Error(`Cannot use ${unknown}: packages have the version that was compiled`);
    }
    const env = Deno.env.toObject();
    const dist = `${Deno.cwd()}/dist`;
    const info = await programInfo(Deno.cwd(), { env, version: await compiledVersion(dist) });
    for (const path of await makePackages(info, { dist, env })) {
      console.log(path);
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}

/**
 * Makes all packages from the programs in `dist`, and returns their paths.
 *
 * @throws {Error} When there is no program or no nfpm.
 */
export async function makePackages(
  info: ProgramInfo,
  { dist, env }: { dist: string; env: Readonly<Record<string, string>> },
): Promise<string[]> {
  const nfpm = await requireNfpm(env);
  const timestamp = await commitTime(env);
  const made: string[] = [];
  for (const arch of ARCHITECTURES) {
    const source = { info, arch, timestamp, ...programFor(arch, dist) };
    for (const kind of PACKAGE_KINDS) made.push(await pack(source, { kind, nfpm, dist }));
  }
  await addChecksums(dist, made);
  return made;
}

/**
 * The version of the programs in `dist`, by their list of checksums.
 *
 * @throws {Error} When there is none.
 */
export async function compiledVersion(dist: string): Promise<string> {
  const version = signedVersion(await Deno.readTextFile(`${dist}/SHA256SUMS`).catch(() => ""));
  if (version !== undefined) return version;
  throw new Error("Cannot pack: dist/SHA256SUMS names no version; run `deno task compile` first");
}

/** Packs one package into `dist`, and returns its path. @throws {Error} When nfpm fails. */
export async function pack(
  source: PackageSource,
  { kind, nfpm, dist }: { kind: PackageKind; nfpm: string; dist: string },
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "komari-agent-deno-package-" });
  try {
    const files = packageFiles(source).filter((file) => (file.kind ?? kind) === kind);
    for (const { path, content, mode } of files) {
      await Deno.mkdir(dirname(folder + path), { recursive: true });
      if (typeof content === "string") await Deno.writeTextFile(folder + path, content);
      else await Deno.writeFile(folder + path, content);
      await Deno.chmod(folder + path, mode);
    }
    // Every JSON is YAML.
    const config = `${folder}/nfpm.yaml`;
    await Deno.writeTextFile(config, JSON.stringify(nfpmConfig(source, { files, folder })));
    const path = `${dist}/${packageName(source, kind)}`;
    await run(nfpm, ["package", "--config", config, "--packager", kind, "--target", path], {
      folder,
      env: { SOURCE_DATE_EPOCH: `${source.timestamp}` },
    });
    return path;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The name of a package's file, as is usual for its kind. */
export function packageName(
  { info: { version }, arch }: Pick<PackageSource, "info" | "arch">,
  kind: PackageKind,
): string {
  // A tilde sorts before the version that a preview leads to, but is no letter for a file's name.
  if (kind === "deb") return `${PROGRAM}_${version}_${arch}.deb`;
  return `${PROGRAM}-${version}.${arch === "amd64" ? "x86_64" : "aarch64"}.rpm`;
}

/** The files of a package but for its program. */
export function packageFiles(
  source: Pick<PackageSource, "info" | "form" | "timestamp">,
): PackageFile[] {
  const { form, info: { version }, timestamp } = source;
  const docs = `/usr/share/doc/${PROGRAM}`;
  const plan = packagedPlan(form);
  return [
    ...PACKAGE_KINDS.map((kind) => file(PACKAGE_MARKER, `${kind}\n`, { kind })),
    file(
      `/usr/lib/systemd/system/${PROGRAM}.service`,
      systemdUnit(plan, { origin: PACKAGE_ORIGIN, condition: PACKAGE_CONDITION }),
    ),
    file(
      `/usr/lib/sysusers.d/${PROGRAM}.conf`,
      `u ${plan.user} - "${DESCRIPTION}" /nonexistent /usr/sbin/nologin\n`,
    ),
    { path: plan.config, content: EMPTY_CONFIG, mode: 0o640, isConfig: true },
    file(`/usr/share/man/man1/${PROGRAM}.1.gz`, gzip(manPage("en"))),
    file(`/usr/share/man/zh_CN/man1/${PROGRAM}.1.gz`, gzip(manPage("zh"))),
    file(`/usr/share/bash-completion/completions/${PROGRAM}`, completions("bash", "en")),
    file(`/usr/share/fish/vendor_completions.d/${PROGRAM}.fish`, completions("fish", "en")),
    file(`/usr/share/zsh/vendor-completions/_${PROGRAM}`, completions("zsh", "en"), {
      kind: "deb",
    }),
    file(`/usr/share/zsh/site-functions/_${PROGRAM}`, completions("zsh", "en"), { kind: "rpm" }),
    file(`${docs}/copyright`, licensesText(), { kind: "deb" }),
    file(`/usr/share/licenses/${PROGRAM}/LICENSES`, licensesText(), { kind: "rpm" }),
    file(`${docs}/changelog.gz`, gzip(debianChangelog(version, timestamp)), { kind: "deb" }),
    file(`${docs}/CHANGELOG.md.gz`, gzip(Deno.readTextFileSync(`${ROOT}CHANGELOG.md`))),
    file(`/usr/share/lintian/overrides/${PROGRAM}`, lintianOverrides(form), { kind: "deb" }),
  ];
}

function file(
  path: string,
  content: string | Uint8Array,
  options: { kind?: PackageKind } = {},
): PackageFile {
  return { path, content, mode: 0o644, ...options };
}

/** The configuration of nfpm; `folder` holds the files. */
export function nfpmConfig(
  { info, arch, program, timestamp }: PackageSource,
  { files, folder }: { files: readonly PackageFile[]; folder: string },
): Record<string, unknown> {
  const mtime = new Date(timestamp * 1000).toISOString();
  const script = (name: string) => `${ROOT}build/package/${name}.sh`;
  // What only this package has a use for goes with it.
  const folders = new Set(
    files.map(({ path }) => dirname(path)).filter((path) => basename(path) === PROGRAM),
  );
  const contents = [
    ...Array.from(folders, (dst) => ({ dst, type: "dir", file_info: { mode: 0o755, mtime } })),
    { src: program, dst: PACKAGED_PROGRAM, file_info: { mode: 0o755, mtime } },
    ...files.map(({ path, mode, isConfig }) => ({
      src: folder + path,
      dst: path,
      ...(isConfig && { type: "config|noreplace" }),
      file_info: { mode, mtime },
    })),
  ];
  return {
    name: PROGRAM,
    arch,
    platform: "linux",
    version: info.version,
    version_schema: "semver",
    section: "net",
    priority: "optional",
    maintainer: MAINTAINER,
    description: `${SUMMARY}\nIt reports CPU, memory, disks, network, traffic and probes. ` +
      "Remote control is\noff, and the process seals itself.",
    ...(info.repository !== "" && { homepage: `https://github.com/${info.repository}` }),
    license: "MIT",
    mtime,
    contents,
    scripts: {
      preinstall: script("preinstall"),
      postinstall: script("postinstall"),
      preremove: script("preremove"),
      postremove: script("postremove"),
    },
    rpm: { summary: SUMMARY, group: "System Environment/Daemons", buildhost: "localhost" },
  };
}

/** The program for a processor: the compiled one, or else the portable. */
function programFor(
  arch: PackageSource["arch"],
  dist: string,
): Pick<PackageSource, "form" | "program"> {
  const compiled = `${dist}/${PROGRAM}-linux-${arch}`;
  if (exists(compiled)) return { form: "binary", program: compiled };
  const portable = `${dist}/${PORTABLE_NAME}`;
  if (!exists(portable)) {
    throw new Error(
      `Cannot pack for ${arch}: dist/ has no program; run \`deno task compile\` first`,
    );
  }
  console.error(
    `dist/ has no ${basename(compiled)}: the packages for ${arch} hold the portable program, ` +
      "which needs a Deno on their machine",
  );
  return { form: "portable", program: portable };
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** The nfpm of `$NFPM` or of the path; `undefined` if neither starts. */
export async function findNfpm(env: Readonly<Record<string, string>>): Promise<string | undefined> {
  const nfpm = env.NFPM || "nfpm";
  try {
    await run(nfpm, ["--version"], { folder: ROOT });
    return nfpm;
  } catch {
    return undefined;
  }
}

async function requireNfpm(env: Readonly<Record<string, string>>): Promise<string> {
  const nfpm = await findNfpm(env);
  if (nfpm !== undefined) return nfpm;
  throw new Error(
    "Cannot pack: nfpm is neither on the path nor named by $NFPM; with Go, this installs it: " +
      `go install github.com/goreleaser/nfpm/v2/cmd/nfpm@${NFPM_VERSION}`,
  );
}

/** When the checkout's commit was made, so that the same commit gives the same packages. */
async function commitTime(env: Readonly<Record<string, string>>): Promise<number> {
  if (env.SOURCE_DATE_EPOCH) return Number(env.SOURCE_DATE_EPOCH);
  try {
    return Number(await run("git", ["log", "-1", "--format=%ct"], { folder: ROOT }));
  } catch {
    return NO_COMMIT_TIME;
  }
}

async function addChecksums(dist: string, paths: readonly string[]): Promise<void> {
  const names = paths.map((path) => basename(path));
  const before = await Deno.readTextFile(`${dist}/SHA256SUMS`).catch(() => "");
  const kept = before.split(/(?<=\n)/).filter((line) =>
    !names.some((it) => line.endsWith(`  ${it}\n`) || line.endsWith(`:${it}\n`))
  );
  for (const path of paths) kept.push(...await checksumLines(path));
  await Deno.writeTextFile(`${dist}/SHA256SUMS`, kept.join(""));
}

function gzip(text: string): Uint8Array {
  return gzipSync(text, { level: 9 });
}

/** A changelog in the form that Debian's tools read; the readable one lies beside it. */
function debianChangelog(version: string, timestamp: number): string {
  const date = new Date(timestamp * 1000).toUTCString().replace("GMT", "+0000");
  return `${PROGRAM} (${version.replace("-", "~")}) unstable; urgency=medium\n\n` +
    `  * Version ${version}; see CHANGELOG.md.gz.\n\n -- ${MAINTAINER}  ${date}\n`;
}

/** What Debian's checker is told, with the reason. */
function lintianOverrides(form: PackageSource["form"]): string {
  return form === "binary"
    ? "# The program's script lies behind the runtime in the file, and stripping would cut it off.\n" +
      `${PROGRAM}: unstripped-binary-or-object\n` +
      "# Libraries of the runtime are part of it.\n" +
      `${PROGRAM}: embedded-library\n`
    : "# A shell reads the first lines and hands the rest, which is JavaScript, to Deno.\n" +
      `${PROGRAM}: shell-script-fails-syntax-check\n`;
}
