import type { Programs } from "../host/programs.ts";
import { SYSTEM_PATH } from "../host/tool_runner.ts";
import { type Account, findAccount } from "../parse/passwd.ts";

/**
 * The agent's own: options with their secrets, and what its service manager tells it alone (where
 * its credentials lie, where it reports that it is ready).
 */
const OWN = /^(?:AGENT_|CREDENTIALS_DIRECTORY$|NOTIFY_|WATCHDOG_|LISTEN_|JOURNAL_STREAM$)/;

/** The agent's environment without what is its own, fit for what a panel's users run. */
export function cleanedEnvironment(
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  const kept = Object.entries(environment).filter(([name]) => !OWN.test(name.toUpperCase()));
  return { PATH: SYSTEM_PATH, ...Object.fromEntries(kept) };
}

/** Shells that stand for "nobody logs in here". */
const NO_SHELL = /\/(?:nologin|false|true)$/;

/** Taken in turn where the account's own shell is of no use. */
const OTHER_SHELLS = ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"];

const LAST_SHELL = "/bin/sh";

/**
 * The account that commands and terminals run under, with a home that is a folder and a shell that
 * can be started.
 *
 * `passwd` is the text of `/etc/passwd`; empty when there is none, as in some containers.
 */
export function loginAccount(
  programs: Pick<Programs, "isFolder" | "isProgram">,
  options: { uid: number; passwd: string },
): Account {
  const { uid, passwd } = options;
  const { name, home, shell } = findAccount(passwd, uid) ??
    { name: uid === 0 ? "root" : String(uid), home: uid === 0 ? "/root" : "/", shell: "" };
  const own = NO_SHELL.test(shell) ? [] : [shell];
  return {
    name,
    home: home.startsWith("/") && programs.isFolder(home) ? home : "/",
    shell: [...own, ...OTHER_SHELLS].find((path) => programs.isProgram(path)) ?? LAST_SHELL,
  };
}

/** Whose name, home and shell commands and terminals get, and the agent's environment without its own. */
export function surroundings(
  programs: Programs,
): { account: Account; env: Record<string, string> } {
  let passwd = "";
  try {
    passwd = Deno.readTextFileSync("/etc/passwd");
  } catch {
    // Some containers have none.
  }
  const account = loginAccount(programs, { uid: Deno.uid() ?? 0, passwd });
  return { account, env: cleanedEnvironment(Deno.env.toObject()) };
}
