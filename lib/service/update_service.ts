/**
 * What the service that looks for newer versions has in common under each manager.
 *
 * It runs as the program's owner, apart from the agent, which may not write its own program. What it
 * and its Deno remember lies where the agent can't write.
 *
 * @module
 */

import { basename } from "../parse/path.ts";
import type { InstallRecord } from "./install_record.ts";
import { denoVariables } from "./service_environment.ts";
import type { ServicePlan } from "./service_manager.ts";

/** What that service is called; under systemd its unit and its timer, without their endings. */
export function updateServiceName(service: string): string {
  return `${service}-update`;
}

/** Whether an installation has made such a service. */
export function hasUpdateService(
  { service, files }: Pick<InstallRecord, "service" | "files">,
): boolean {
  const name = updateServiceName(service);
  return files.some((path) => [name, `${name}.timer`, `${name}.plist`].includes(basename(path)));
}

/** What takes a newer version once. */
export function updateCommand({ program, releaseFlags }: ServicePlan): string[] {
  return [program, "update", "--now", ...releaseFlags];
}

/** The variables that it gets beside those about proxies. */
export function updateVariables(plan: ServicePlan): Record<string, string> {
  return {
    ...denoVariables(plan, { folder: plan.updateFolder }),
    // Where the agent says that its reports are accepted.
    RUNTIME_DIRECTORY: plan.runtimeFolder,
  };
}

/** Between which whole seconds a pause is drawn. */
type SecondsRange = readonly [least: number, most: number];

/** How long it waits before the first look for a newer version, and then between two. */
export interface UpdateSchedule {
  readonly first: SecondsRange;
  readonly between: SecondsRange;
}

/** Soon after a start, since an update that was cut off goes on then; later four times a day. */
const DEFAULT_SCHEDULE: UpdateSchedule = { first: [300, 3_600], between: [3 * 3_600, 9 * 3_600] };

/**
 * The words that look for newer versions for ever, for a manager that has no timers: a shell that
 * sleeps, which costs a megabyte where the program would cost fifty.
 *
 * A SIGTERM ends it at once, with whatever it waits for. When it can't sleep it ends too, rather
 * than ask without a pause.
 */
export function updateLoop(
  plan: ServicePlan,
  schedule: UpdateSchedule = DEFAULT_SCHEDULE,
): string[] {
  const { first, between } = schedule;
  // One line without two blanks in a row or what looks like a pattern: OpenRC lets a shell split it
  // once more than it says. Not every shell draws numbers, but the kernel does.
  const script = [
    "end() { { kill $!; wait $!; } 2>/dev/null; exit 0; };",
    "trap end TERM;",
    "pause() { read -r id </proc/sys/kernel/random/uuid || exit 1;",
    "sleep $(($1 + 0x${id%%-*} % ($2 - $1 + 1))) & wait $! || exit 1; };",
    `pause ${first.join(" ")};`,
    `while :; do "$@" & wait $!; pause ${between.join(" ")}; done`,
  ].join(" ");
  return ["/bin/sh", "-c", script, updateServiceName(plan.name), ...updateCommand(plan)];
}
