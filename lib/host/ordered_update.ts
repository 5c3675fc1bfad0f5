import { PROGRAM } from "../version.ts";

/**
 * The command that updates once, to the newest release or to a version. Under systemd it starts the
 * update's own unit, or for a version a unit of its own with the same proxies, since everything in the
 * agent's unit ends when the agent is restarted; elsewhere it is the program's.
 *
 * @param cgroup The text of the agent's `/proc/self/cgroup`.
 * @param program Its path, and the folder of its updates.
 */
export function orderedUpdate(
  cgroup: string,
  { path, folder }: { path: string; folder: string },
  version?: string,
): [command: string, ...args: string[]] {
  const exact = version === undefined ? [] : ["--install-version", version];
  const update: [string, ...string[]] = [path, "update", "--now", ...exact];
  const [line, unit] = /^\d+:[^:]*:(?:.*\/)?([^/\n]+)\.service$/m.exec(cgroup) ?? [];
  if (line === undefined) return update;
  const scope = /\/user@\d+\.service\//.test(line) ? ["--user"] : [];
  if (version === undefined) {
    return ["systemctl", ...scope, "start", "--no-block", `${unit}-update.service`];
  }
  return [
    "systemd-run",
    ...scope,
    ...["--quiet", "--collect", "--no-block", `--unit=${unit}-update-${version}`],
    `--property=EnvironmentFile=-${scope.length > 0 ? "%E" : "/etc"}/${unit}/environment`,
    // For a portable build: its runtime, and the cache of that, as the update's own unit has them.
    ...[`--setenv=DENO=${Deno.execPath()}`, `--setenv=DENO_DIR=${folder}/deno`],
    ...update,
    ...(unit === PROGRAM ? [] : ["--install-service-name", `${unit}`]),
  ];
}
