import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { type ThisProgram, thisProgram } from "../host/this_program.ts";
import { toolPath, ToolRunner, type Tools } from "../host/tool_runner.ts";
import { RegistrationClient } from "../panel/registration_client.ts";
import type { ServiceOwner } from "./service_manager.ts";

/** The machine, and the user on it, of an installation. */
export interface TargetSystem extends ServiceOwner {
  /** Prefix of every path; empty outside of tests. */
  readonly root: string;
  /** The user who runs this with `sudo`; empty without. */
  readonly sudoUser: string;
  readonly tools: Tools & { has(tool: string): boolean };
  /** The program to install. */
  readonly program: ThisProgram;
  /** The Deno that runs a portable build. */
  readonly denoPath: string;
  /** Base of relative paths in options. */
  readonly folder: string;
  /**
   * Whether the panel accepts the token, by a call that does not bring the node online.
   *
   * @throws {Error} When that is not clear from its answer.
   */
  isTokenKnown(config: Config, signal: AbortSignal): Promise<boolean>;
  /** Prints a line for the user. */
  printLine(line: string): void;
}

/** This machine, for the current user. */
export function currentSystem(
  { env, printLine }: { env: Readonly<Record<string, string>>; printLine: (line: string) => void },
): TargetSystem {
  const uid = Deno.uid() ?? 0;
  // The record refuses a path with a slash at its end.
  const named = env.XDG_RUNTIME_DIR?.replace(/\/+$/, "") ?? "";
  const userRuntimeDir = [named, `/run/user/${uid}`].find((path) => isFolderOwnedBy(uid, path)) ??
    "";
  return {
    root: "",
    os: Deno.build.os,
    uid,
    home: (env.HOME ?? "").replace(/\/+$/, ""),
    userRuntimeDir,
    sudoUser: env.SUDO_USER ?? "",
    // `systemctl --user` needs this variable, which `su` does not set.
    tools: new ToolRunner({
      ...env,
      PATH: toolPath(env.PATH),
      ...(userRuntimeDir !== "" && { XDG_RUNTIME_DIR: userRuntimeDir }),
    }),
    program: thisProgram(),
    denoPath: Deno.execPath(),
    folder: Deno.cwd(),
    isTokenKnown: (config, signal) =>
      new RegistrationClient(config).isTokenKnown(config.token, signal),
    printLine,
  };
}

/** After `su` or `setpriv` the variable may name the folder of another user. */
function isFolderOwnedBy(uid: number, path: string): boolean {
  const info = attempt(() => Deno.statSync(path));
  return info?.isDirectory === true && info.uid === uid;
}

/** Whether a path exists, even as a dangling link. */
export function pathExists(path: string): boolean {
  return attempt(() => Deno.lstatSync(path)) !== undefined;
}

/** Names in a folder; none if it can't be read. */
export function entryNames(folder: string): string[] {
  return attempt(() => Array.from(Deno.readDirSync(folder), ({ name }) => name)) ?? [];
}

/**
 * Missing parent folders of these paths, deepest first, so that they can be removed again when
 * empty.
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
