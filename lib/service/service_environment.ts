import { attempt } from "../attempt.ts";
import { PROXY_VARIABLES } from "../config/environment.ts";
import { lookupVariable } from "../parse/os_release.ts";
import { ORIGIN, type ServicePlan } from "./service_manager.ts";

/**
 * Variables of a portable build: its Deno, and the cache folder of that.
 *
 * Two users never share the folder: the less privileged one could make the other write to files of
 * his choice.
 */
export function denoVariables(
  { deno }: Pick<ServicePlan, "deno">,
  { folder }: { folder: string },
): Record<string, string> {
  return deno === undefined ? {} : { DENO: deno, DENO_DIR: `${folder}/deno` };
}

/** Variables of the agent under managers that set no folders themselves. */
export function agentVariables(plan: ServicePlan): Record<string, string> {
  const { stateFolder, runtimeFolder } = plan;
  return {
    ...denoVariables(plan, { folder: stateFolder }),
    STATE_DIRECTORY: stateFolder,
    RUNTIME_DIRECTORY: runtimeFolder,
  };
}

/**
 * A file of variables that systemd (`EnvironmentFile=`) and a POSIX shell (`. FILE`) read alike:
 * both escape the same four characters within double quotes.
 */
export function environmentText(variables: Readonly<Record<string, string>>): string {
  const lines = Object.entries(variables).map(([name, value]) =>
    `${name}="${environmentWord(value)}"`
  );
  return [`# ${ORIGIN}`, ...lines, ""].join("\n");
}

/** Escapes a value for the double quotes of {@linkcode environmentText}. */
export function environmentWord(value: string): string {
  return value.replace(/["\\`$]/g, "\\$&");
}

/** The proxies that an installation has saved, by their variables; `undefined` when it has none. */
export function readSavedProxies(path: string): Record<string, string> | undefined {
  const text = attempt(() => Deno.readTextFileSync(path));
  if (text === undefined) return undefined;
  const values = PROXY_VARIABLES.map((name) => [name, lookupVariable(text, name)]);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}
