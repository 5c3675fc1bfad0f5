import { attempt } from "../attempt.ts";
import { PROGRAM } from "../version.ts";

/** Form of the program: a compiled binary, one script for an installed Deno, or sources. */
export type ProgramForm = "binary" | "portable" | "source";

/** This program, as a file. */
export interface ThisProgram {
  readonly form: ProgramForm;
  /** The program file; the main module of sources. */
  readonly path: string;
}

/**
 * Finds the program that this process was started from.
 *
 * A portable build is a script that starts with `#!` and hands itself to Deno.
 */
export function thisProgram(): ThisProgram {
  if (Deno.build.standalone) return { form: "binary", path: Deno.execPath() };
  const { protocol, pathname } = new URL(Deno.mainModule);
  const path = protocol === "file:" ? decodeURIComponent(pathname) : "";
  return { form: startsAsScript(path) ? "portable" : "source", path };
}

/** Build target of a program, such as `linux-amd64`; `portable` and `source` run on all. */
export function thisTarget({ form }: ThisProgram): string {
  return form === "binary" ? machineTarget() : form;
}

/** Build target of this machine, such as `linux-amd64`. */
export function machineTarget(): string {
  const arch = Deno.build.arch === "x86_64" ? "amd64" : "arm64";
  return `${Deno.build.os}-${arch}`;
}

/** Whether this runs in the container image, which is updated as a whole. */
export function isInContainerImage(): boolean {
  return attempt(() => Deno.statSync("/.komari-agent-container").isFile) ?? false;
}

/** Whether this process is in a container of Docker or Podman, of whatever image. */
export function isInContainer(): boolean {
  return isInContainerImage() ||
    ["/.dockerenv", "/run/.containerenv"].some((path) =>
      attempt(() => Deno.statSync(path)) !== undefined
    );
}

/** The kinds of packages that bring the program. */
export const PACKAGE_KINDS = ["deb", "rpm"] as const;

/** A kind of package. */
export type PackageKind = typeof PACKAGE_KINDS[number];

/** The command that installs and removes packages of a kind. */
export const PACKAGE_MANAGERS: Readonly<Record<PackageKind, string>> = { deb: "apt", rpm: "dnf" };

/** Where packages put the program. */
export const PACKAGED_PROGRAM = `/usr/bin/${PROGRAM}`;

/** The file by which a package says that it brought the program: its kind. */
export const PACKAGE_MARKER = `/usr/lib/${PROGRAM}/package`;

/** The package that is installed on the machine below `root`; `undefined` if there is none. */
export function installedPackage({ root = "" } = {}): PackageKind | undefined {
  try {
    const text = Deno.readTextFileSync(root + PACKAGE_MARKER).trim();
    return PACKAGE_KINDS.find((kind) => kind === text);
  } catch {
    return undefined;
  }
}

/** The package that brought a program; `undefined` if none did. */
export function packageOf({ path }: ThisProgram, { root = "" } = {}): PackageKind | undefined {
  const kind = installedPackage({ root });
  if (kind === undefined) return undefined;
  try {
    return Deno.realPathSync(path) === Deno.realPathSync(root + PACKAGED_PROGRAM)
      ? kind
      : undefined;
  } catch {
    return undefined;
  }
}

function startsAsScript(path: string): boolean {
  try {
    const file = Deno.openSync(path);
    using _ = file;
    const bytes = new Uint8Array(2);
    return file.readSync(bytes) === 2 && new TextDecoder().decode(bytes) === "#!";
  } catch {
    return false;
  }
}

/** Asks an agent to exit so that its service restarts it. */
export const RESTART_SIGNAL = "SIGUSR2";

/** Exit code after {@linkcode RESTART_SIGNAL}: some services restart only failed programs. */
export const RESTART_EXIT_CODE = 75;
