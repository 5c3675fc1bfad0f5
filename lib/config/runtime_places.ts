/** The folders that the system has named for what concerns a run only; empty where it has not. */
export interface RuntimePlaces {
  readonly runtimeDir: string;
  /** Below what is the user's own. */
  readonly userRuntimeDir: string;
}

/** Takes the first folder that systemd names, and what is the user's own. */
export function runtimePlaces(env: Readonly<Record<string, string>>): RuntimePlaces {
  const { RUNTIME_DIRECTORY = "", XDG_RUNTIME_DIR = "", TMPDIR = "" } = env;
  const [ofSystemd = ""] = RUNTIME_DIRECTORY.split(":");
  const own = [XDG_RUNTIME_DIR, TMPDIR].find(isFullPath) ?? "";
  return {
    runtimeDir: isFullPath(ofSystemd) ? ofSystemd : "",
    userRuntimeDir: own === "" ? "" : `${own.replace(/\/+$/, "")}/komari-agent-deno`,
  };
}

function isFullPath(path: string): boolean {
  return path.startsWith("/");
}
