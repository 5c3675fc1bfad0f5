import { attempt } from "../attempt.ts";
import type { Programs } from "../host/programs.ts";
import { SYSTEM_PATH } from "../host/tool_runner.ts";
import { type Account, findAccount } from "../parse/passwd.ts";

/** The account and the environment that commands and terminals run with. */
export interface ExecEnvironment {
  readonly account: Account;
  /** The agent's environment without its own variables. */
  readonly env: Readonly<Record<string, string>>;
}

/** Reads the account of this process and its environment. */
export function execEnvironment(programs: Programs): ExecEnvironment {
  // Some containers have none.
  const passwd = attempt(() => Deno.readTextFileSync("/etc/passwd")) ?? "";
  const account = loginAccount(programs, Deno.uid() ?? 0, passwd);
  return { account, env: withoutOwnVariables(Deno.env.toObject()) };
}

/**
 * The agent's own variables: its options, which include secrets, and what its service manager passes
 * to it alone (credentials, notification socket, journal stream).
 */
const OWN = /^(?:AGENT_|CREDENTIALS_DIRECTORY$|NOTIFY_|WATCHDOG_|LISTEN_|JOURNAL_STREAM$)/;

/** An environment without the agent's own variables, and with a `PATH`. */
export function withoutOwnVariables(
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  const others = Object.entries(environment).filter(([name]) => !OWN.test(name.toUpperCase()));
  return { PATH: SYSTEM_PATH, ...Object.fromEntries(others) };
}

/** Shells of accounts that nobody logs in to. */
const NO_LOGIN_SHELL = /\/(?:nologin|false|true)$/;

/** Tried in this order when the account's shell can't be used. */
const FALLBACK_SHELLS = ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"];

/**
 * The account of a user, with a home directory that exists and a shell that can be started.
 *
 * @param passwd The text of `/etc/passwd`; empty when there is none.
 */
export function loginAccount(programs: Programs, uid: number, passwd: string): Account {
  const { name, home, shell } = findAccount(passwd, uid) ??
    { name: uid === 0 ? "root" : String(uid), home: uid === 0 ? "/root" : "/", shell: "" };
  const own = NO_LOGIN_SHELL.test(shell) ? [] : [shell];
  return {
    name,
    home: home.startsWith("/") && programs.isFolder(home) ? home : "/",
    shell: [...own, ...FALLBACK_SHELLS].find((path) => programs.isProgram(path)) ?? "/bin/sh",
  };
}
