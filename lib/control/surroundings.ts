import type { Programs } from "../host/programs.ts";
import type { Account } from "../parse/passwd.ts";
import { cleanedEnvironment } from "./environment.ts";
import { loginAccount } from "./login_account.ts";

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
