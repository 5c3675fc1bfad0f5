/**
 * Variables and limits that systemd gives to each of its services, which no file of a unit has.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Tools } from "../host/tool_runner.ts";
import { basename } from "../parse/path.ts";
import type { UnitSetting } from "./loaded_unit.ts";
import { boundedReader } from "./official_agent.ts";
import type { ServiceScope } from "./service_paths.ts";

/** Variables by which a service reaches its panels, or is known to them. */
const OF_PANEL = /^(?:AGENT_|DENO_|SSL_|NODE_)|_PROXY$/i;

/** Longer than a systemd that answers takes. */
const SHOW_MS = 3_000;

/**
 * The limits that systemd's files give to all services, and the variables of its own environment that
 * count for an agent, as settings of its unit: each with the file and line that sets it, a variable that
 * none sets with the command that takes it out.
 */
export async function managerSettings(
  scope: ServiceScope,
  { env, tools, signal }: {
    env: Readonly<Record<string, string>>;
    tools: Tools;
    signal: AbortSignal;
  },
): Promise<UnitSetting[]> {
  const flag = scope === "user" ? ["--user"] : [];
  const { code, output } = await tools.run({
    tool: "systemctl",
    args: [...flag, "show-environment"],
  }, { signal, timeoutMs: SHOW_MS });
  const lines = code === 0 ? output.split("\n") : [];
  const files = configurationFiles(scope, env);
  const variables = lines.flatMap((line) => {
    const [, name = "", value = ""] = /^(\w+)=(?:\$')?(.*?)'?$/.exec(line) ?? [];
    if (!OF_PANEL.test(name)) return [];
    const take = ["systemctl", ...flag, "unset-environment", name].join(" ");
    const file = variablePlace(name, files) ?? `systemd's own environment; take it out: ${take}`;
    return [{ name: "Environment", value: `"${name}=${value}"`, file }];
  });
  return [...defaultLimits(files), ...variables];
}

/** The limits in files of systemd's own, by the names that units have for them. */
export function defaultLimits(files: readonly string[]): UnitSetting[] {
  return files.flatMap((file) =>
    linesOf(file).flatMap((line, at) => {
      const [, name, value = ""] = /^\s*Default(Limit\w+|TasksMax)\s*=\s*(\S*)/.exec(line) ?? [];
      return name === undefined ? [] : [{ name, value, file: `${file}:${at + 1}` }];
    })
  );
}

function linesOf(file: string): string[] {
  return (attempt(() => boundedReader("")(file)) ?? "").split("\n");
}

/** The files by which systemd gets its environment, those that win behind the others. */
function configurationFiles(
  scope: ServiceScope,
  env: Readonly<Record<string, string>>,
): readonly string[] {
  const roots = ["/usr/lib", "/usr/local/lib", "/run", "/etc"];
  const folders = scope === "system" ? [] : [
    ...roots.map((root) => `${root}/environment.d`),
    `${env.XDG_CONFIG_HOME ?? `${env.HOME}/.config`}/environment.d`,
  ];
  folders.unshift(...roots.map((root) => `${root}/systemd/${scope}.conf.d`));
  const inFolders = folders.flatMap((folder) => {
    const names = attempt(() => Array.from(Deno.readDirSync(folder), ({ name }) => name)) ?? [];
    return names.filter((name) => name.endsWith(".conf")).map((name) => `${folder}/${name}`);
  });
  const sorted = inFolders.toSorted((one, other) => basename(one) < basename(other) ? -1 : 1);
  return [...roots.map((root) => `${root}/systemd/${scope}.conf`), ...sorted];
}

/** The file and line that set a variable; `undefined` where none of these files does. */
export function variablePlace(name: string, files: readonly string[]): string | undefined {
  const sets = new RegExp(`^\\s*(?:DefaultEnvironment\\s*=(?:.*[\\s"'])?)?${name}=`);
  return files.flatMap((file) => {
    const at = linesOf(file).findLastIndex((line) => sets.test(line));
    return at === -1 ? [] : `${file}:${at + 1}`;
  }).at(-1);
}
