import { type ThisProgram, thisProgram } from "../host/this_program.ts";
import { toolPath, ToolRunner, type Tools } from "../host/tool_runner.ts";

/** The machine, and the user on it, that something is installed for. */
export interface TargetSystem {
  /** Put before every path; empty but in a root that was made to be thrown away. */
  readonly root: string;
  readonly os: string;
  readonly uid: number;
  /** The user's home; empty where there is none. */
  readonly home: string;
  /** The user's folder in memory; empty where there is none. */
  readonly userRuntimeDir: string;
  /** Who has become root by `sudo`; empty when nobody has. */
  readonly sudoUser: string;
  readonly tools: Tools & { has(tool: string): boolean };
  /** What is installed. */
  readonly program: ThisProgram;
  /** The Deno that runs a portable build. */
  readonly denoPath: string;
  /** What relative paths of options start from. */
  readonly folder: string;
  /** Tells the user, a line at a time. */
  printLine(line: string): void;
}

/** This machine, for the user who runs this. */
export function currentSystem(
  { env, printLine }: { env: Readonly<Record<string, string>>; printLine: (line: string) => void },
): TargetSystem {
  const uid = Deno.uid() ?? 0;
  const userRuntimeDir =
    [env.XDG_RUNTIME_DIR ?? "", `/run/user/${uid}`].find((path) => isFolderOwnedBy(uid, path)) ??
      "";
  return {
    root: "",
    os: Deno.build.os,
    uid,
    home: (env.HOME ?? "").replace(/\/+$/, ""),
    userRuntimeDir,
    sudoUser: env.SUDO_USER ?? "",
    // The user's service manager is found by this variable, which `su` does not set.
    tools: new ToolRunner({
      env: {
        ...env,
        PATH: toolPath(env.PATH),
        ...(userRuntimeDir !== "" && { XDG_RUNTIME_DIR: userRuntimeDir }),
      },
    }),
    program: thisProgram(),
    denoPath: Deno.execPath(),
    folder: Deno.cwd(),
    printLine,
  };
}

/** Whose service is installed: root's are the machine's. */
export function scopeOf({ uid }: Pick<TargetSystem, "uid">): "system" | "user" {
  return uid === 0 ? "system" : "user";
}

/** Whoever becomes another user without a login has the folder of the one before in the variable. */
function isFolderOwnedBy(uid: number, path: string): boolean {
  try {
    const { isDirectory, uid: owner } = Deno.statSync(path);
    return isDirectory && owner === uid;
  } catch {
    return false;
  }
}

/** Whether there is something at a path, be it a link that leads nowhere. */
export function pathExists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Folders that are not there yet on the way to these paths, the deepest first; so they can be taken
 * away again when nothing else has come into them.
 */
export function missingFolders(paths: readonly string[], { root }: { root: string }): string[] {
  const missing = new Set<string>();
  for (const path of paths) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const folder = path.slice(0, end);
      if (pathExists(root + folder)) break;
      missing.add(folder);
    }
  }
  return [...missing].sort((one, other) => other.length - one.length);
}
