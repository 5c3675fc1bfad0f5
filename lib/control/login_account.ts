import type { Programs } from "../host/programs.ts";
import { type Account, accountOf } from "../parse/passwd.ts";

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
  const { name, home, shell } = accountOf(passwd, uid) ??
    { name: uid === 0 ? "root" : String(uid), home: uid === 0 ? "/root" : "/", shell: "" };
  const own = NO_SHELL.test(shell) ? [] : [shell];
  return {
    name,
    home: home.startsWith("/") && programs.isFolder(home) ? home : "/",
    shell: [...own, ...OTHER_SHELLS].find((path) => programs.isProgram(path)) ?? LAST_SHELL,
  };
}
