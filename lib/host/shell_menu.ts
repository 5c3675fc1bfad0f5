/** How a `/bin/sh` is given what it runs for its whole life. */
export interface ShellMenu {
  /** What comes after the shell's own name, before what its script is given. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const VARIABLE = "KOMARI_AGENT_MENU";

/**
 * How a shell gets its script: by a variable, since the words of a process stand in every list of
 * processes, where a long script hides the rest and looks like somebody else's.
 *
 * The variable is gone before the script starts anything, so no program inherits it.
 */
export function shellMenu(script: string): ShellMenu {
  return {
    words: ["-c", `eval "$${VARIABLE}"`, "komari-agent-deno-shell"],
    env: { [VARIABLE]: `unset ${VARIABLE}\n${script}` },
  };
}
