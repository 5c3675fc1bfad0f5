/**
 * What the files of all service managers have in common: variables, and the update job.
 *
 * The job runs as the program's owner, separately from the agent, which may not write its own program.
 * Its state and its Deno's cache are not writable for the agent.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { PROXY_VARIABLES } from "../config/environment.ts";
import { lookupVariable } from "../parse/os_release.ts";
import { basename } from "../parse/path.ts";
import { PROGRAM } from "../version.ts";
import type { InstallRecord } from "./install_record.ts";
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

/** The name of the update service; under systemd of its unit and timer, without extension. */
export function updateServiceName(service: string): string {
  return `${service}-update`;
}

/** Whether an installation includes an update job. */
export function hasUpdateService(
  { service, files }: Pick<InstallRecord, "service" | "files">,
): boolean {
  const name = updateServiceName(service);
  return files.some((path) => [name, `${name}.timer`, `${name}.plist`].includes(basename(path)));
}

/** The command that updates once. */
export function updateCommand({ name, program, releaseFlags }: ServicePlan): string[] {
  return [program, "update", "--now", ...serviceFlags(name), ...releaseFlags];
}

/** The flags that name a service; none for the usual name. */
export function serviceFlags(name: string): string[] {
  return name === PROGRAM ? [] : ["--install-service-name", name];
}

/** Variables of the update job besides those of proxies. */
export function updateVariables(plan: ServicePlan): Record<string, string> {
  return {
    ...denoVariables(plan, { folder: plan.updateFolder }),
    // The folder of the agent's health file.
    RUNTIME_DIRECTORY: plan.runtimeFolder,
  };
}

/** Bounds of the random pause before the first check, in seconds: it resumes an interrupted update. */
export const FIRST_PAUSE = "300 3600";
/** Those of the pauses between two checks: four times a day. */
export const NEXT_PAUSE = "10800 32400";

/**
 * A command that updates for ever, for managers without timers: a sleeping shell takes one megabyte
 * where the program would take fifty.
 *
 * SIGTERM ends it at once, with the running update. It exits when it can't sleep, rather than loop
 * without a pause.
 */
export function updateLoop(plan: ServicePlan): string[] {
  // One line without double blanks or glob characters, since OpenRC splits it once more. Random
  // numbers come from the kernel: $RANDOM is not POSIX.
  const script = [
    "end() { { kill $!; wait $!; } 2>/dev/null; exit 0; };",
    "trap end TERM;",
    "pause() { read -r id </proc/sys/kernel/random/uuid || exit 1;",
    "sleep $(($1 + 0x${id%%-*} % ($2 - $1 + 1))) & wait $! || exit 1; };",
    `pause ${FIRST_PAUSE};`,
    `while :; do "$@" & wait $!; pause ${NEXT_PAUSE}; done`,
  ].join(" ");
  return ["/bin/sh", "-c", script, updateServiceName(plan.name), ...updateCommand(plan)];
}
