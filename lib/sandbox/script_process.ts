import { attempt } from "../attempt.ts";
import { settlesWithin } from "../async/timeout.ts";
import { keepingCapability } from "../host/capabilities.ts";
import { describeError } from "../log/log.ts";
import { passNoDescriptors } from "./hardening.ts";
import { LineRpc } from "./line_rpc.ts";

const VARIABLE = "KOMARI_AGENT_MENU";

/** The agent does not wait longer for a shell that is stopped or hangs. */
const CLOSE_TIMEOUT_MS = 500;

/** A shell that runs a script which answers requests. */
export interface ScriptProcess {
  readonly rpc: LineRpc;
  /** Why it runs as root in spite of `user`; `undefined` when it does not. */
  readonly staysRoot: string | undefined;
  /** Ends the shell and all that it has started; pending requests fail. */
  close(): Promise<void>;
}

/**
 * Starts a shell that runs a script, and talks with it over its pipes.
 *
 * The script is passed in a variable: as an argument it would fill every process list. The variable is
 * unset before the script starts anything, so no program inherits it.
 *
 * @param options `shell`: `/bin/sh` by default; `args` and `env`: those of the script; `user`: the id
 * of the user and group that root's shell shall have; the rest as in {@linkcode LineRpc}. A shell that is not
 * root's has no capability but that for raw sockets.
 * @throws {Error} When there is no shell or it may not be started (`Cannot start …`).
 */
export function startScript(
  script: string,
  { shell = ["/bin/sh"], args = [], env, user, ...answers }: {
    shell?: readonly [string, ...string[]] | undefined;
    args?: readonly string[];
    env: Readonly<Record<string, string>>;
    user?: number | undefined;
    onAnswer?: (id: number) => void;
    maxLineLength?: number;
  },
): ScriptProcess {
  const [command, ...prefix] = shell;
  const start = (ids: { uid?: number; gid?: number } = {}) =>
    new Deno.Command(command, {
      ...ids,
      args: [...prefix, "-c", `eval "$${VARIABLE}"`, "komari-agent-deno-shell", ...args],
      // The agent's environment may hold its token, and every user's process list could show it.
      clearEnv: true,
      env: { ...env, LC_ALL: "C", [VARIABLE]: `unset ${VARIABLE}\n${script}` },
      // A session of its own: Ctrl-C at the terminal goes to the agent only, and the whole group can
      // be killed at once.
      detached: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
  let child: Deno.ChildProcess | undefined;
  let staysRoot: string | undefined;
  try {
    if (Deno.build.os === "linux") attempt(passNoDescriptors);
    if (user !== undefined) {
      try {
        const startAsUser = () => start({ uid: user, gid: user });
        child = keepingCapability("NET_RAW", startAsUser, { leavesRoot: true });
      } catch (error) {
        staysRoot = `its helper shell can't change its user (${describeError(error)})`;
      }
    }
    const isLimited = Deno.build.os === "linux" && Deno.uid() !== 0;
    child ??= isLimited ? keepingCapability("NET_RAW", () => start()) : start();
  } catch (cause) {
    throw new Error(`Cannot start ${command}`, { cause });
  }
  const rpc = new LineRpc({ requests: child.stdin, answers: child.stdout, ...answers });
  return {
    rpc,
    staysRoot,
    async close() {
      const closed = Promise.all([rpc.close(), child.status]);
      if (await settlesWithin(closed, CLOSE_TIMEOUT_MS)) return;
      // One that has ended meanwhile is unknown to the runtime.
      attempt(() => child.unref());
    },
  };
}
