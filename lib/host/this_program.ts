/** What is running: one file of its own, the same for a Deno that is there, or sources. */
export type ProgramForm = "binary" | "portable" | "source";

/** This program, as a file. */
export interface ThisProgram {
  readonly form: ProgramForm;
  /** The one file that is all of it; of sources the main module. */
  readonly path: string;
}

/**
 * What this process was started from.
 *
 * A portable build is a script that starts with `#!` and hands itself to Deno.
 */
export function thisProgram(): ThisProgram {
  if (Deno.build.standalone) return { form: "binary", path: Deno.execPath() };
  const { protocol, pathname } = new URL(Deno.mainModule);
  const path = protocol === "file:" ? decodeURIComponent(pathname) : "";
  return { form: startsAsScript(path) ? "portable" : "source", path };
}

/** The targets that there are builds for, as `linux-amd64`; a portable build is for all of them. */
export function thisTarget({ form }: ThisProgram): string {
  return form === "binary" ? machineTarget() : form;
}

/** The target that this machine is, as `linux-amd64`. */
export function machineTarget(): string {
  const arch = Deno.build.arch === "x86_64" ? "amd64" : "arm64";
  return `${Deno.build.os}-${arch}`;
}

/** Whether this runs in a container image, where a newer version comes with a newer image. */
export function isInContainerImage(): boolean {
  try {
    return Deno.statSync("/.komari-agent-container").isFile;
  } catch {
    return false;
  }
}

function startsAsScript(path: string): boolean {
  try {
    using file = Deno.openSync(path);
    const bytes = new Uint8Array(2);
    return file.readSync(bytes) === 2 && new TextDecoder().decode(bytes) === "#!";
  } catch {
    return false;
  }
}

/** Asks an agent to end in such a way that its service starts it again. */
export const RESTART_SIGNAL = "SIGUSR2";

/** How it ends then: some services start again only what has failed. */
export const RESTART_EXIT_CODE = 75;
