/** The folders that a user or the system has named for what is kept; empty where none has. */
export interface StatePlaces {
  readonly stateDir: string;
  /** Below the user's home. */
  readonly userStateDir: string;
}

const NAME = "komari-agent-deno";

/** Takes the option before what systemd names; of systemd's list, the first. */
export function statePlaces(
  option: string,
  env: Readonly<Record<string, string>>,
): StatePlaces {
  const { STATE_DIRECTORY = "", XDG_STATE_HOME = "", HOME = "" } = env;
  const [ofSystemd = ""] = STATE_DIRECTORY.split(":");
  const home = isFullPath(XDG_STATE_HOME)
    ? XDG_STATE_HOME
    : isFullPath(HOME)
    ? `${HOME}/.local/state`
    : "";
  return {
    stateDir: option !== "" ? option : isFullPath(ofSystemd) ? ofSystemd : "",
    userStateDir: home === "" ? "" : `${home}/${NAME}`,
  };
}

function isFullPath(path: string): boolean {
  return path.startsWith("/");
}
