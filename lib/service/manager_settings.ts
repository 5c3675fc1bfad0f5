/**
 * Variables that systemd gives to each of its services, which no file of a unit has.
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
 * The variables of systemd's own environment that count for an agent, as settings of its unit: each with
 * the file and line that sets it, or the command that shows it.
 */
export async function managerVariables(
  scope: ServiceScope,
  { env, tools, signal }: {
    env: Readonly<Record<string, string>>;
    tools: Tools;
    signal: AbortSignal;
  },
): Promise<UnitSetting[]> {
  const args = [...scope === "user" ? ["--user"] : [], "show-environment"];
  const { code, output } = await tools.run({ tool: "systemctl", args }, {
    signal,
    timeoutMs: SHOW_MS,
  });
  const lines = code === 0 ? output.split("\n") : [];
  return lines.flatMap((line) => {
    const [, name = "", value = ""] = /^(\w+)=(?:\$')?(.*?)'?$/.exec(line) ?? [];
    if (!OF_PANEL.test(name)) return [];
    const file = variablePlace(name, configurationFiles(scope, env)) ??
      `systemd's own environment: systemctl ${args.join(" ")}`;
    return [{ name: "Environment", value: `"${name}=${value}"`, file }];
  });
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
  const read = boundedReader("");
  return files.flatMap((file) => {
    const lines = (attempt(() => read(file)) ?? "").split("\n");
    const at = lines.findLastIndex((line) => sets.test(line));
    return at === -1 ? [] : `${file}:${at + 1}`;
  }).at(-1);
}
