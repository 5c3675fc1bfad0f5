import { attempt } from "../attempt.ts";

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

function startsAsScript(path: string): boolean {
  return attempt(() => {
    const file = Deno.openSync(path);
    using _ = file;
    const bytes = new Uint8Array(2);
    return file.readSync(bytes) === 2 && new TextDecoder().decode(bytes) === "#!";
  }) ?? false;
}
