import type { ThisProgram } from "../host/this_program.ts";
import { thisProgram } from "../host/this_program.ts";
import { toolPath, ToolRunner } from "../host/tool_runner.ts";
import type { Tools } from "../service/tool_command.ts";

/** The machine, and the user on it, that something is installed for. */
export interface Site {
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
  say(line: string): void;
}

/** This machine, for the user who runs this. */
export function thisSite(
  { env, say }: { env: Readonly<Record<string, string>>; say: (line: string) => void },
): Site {
  const uid = Deno.uid() ?? 0;
  const userRuntimeDir =
    [env.XDG_RUNTIME_DIR ?? "", `/run/user/${uid}`].find((path) => isFolderOf(uid, path)) ?? "";
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
    say,
  };
}

/** Whose service is installed: root's are the machine's. */
export function scopeOf({ uid }: Pick<Site, "uid">): "system" | "user" {
  return uid === 0 ? "system" : "user";
}

/** Whoever becomes another user without a login has the folder of the one before in the variable. */
function isFolderOf(uid: number, path: string): boolean {
  try {
    const { isDirectory, uid: owner } = Deno.statSync(path);
    return isDirectory && owner === uid;
  } catch {
    return false;
  }
}
