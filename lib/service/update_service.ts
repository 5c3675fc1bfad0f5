/**
 * The update job, as far as it is the same under every service manager.
 *
 * It runs as the program's owner, separately from the agent, which may not write its own program.
 * Its state and its Deno's cache are not writable for the agent.
 *
 * @module
 */

import { basename } from "../parse/path.ts";
import type { InstallRecord } from "./install_record.ts";
import { denoVariables } from "./service_environment.ts";
import type { ServicePlan } from "./service_manager.ts";

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
export function updateCommand({ program, releaseFlags }: ServicePlan): string[] {
  return [program, "update", "--now", ...releaseFlags];
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
