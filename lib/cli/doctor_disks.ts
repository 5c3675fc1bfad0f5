/**
 * The check of `doctor` of disks: which count, and which don't answer.
 *
 * @module
 */

import { unmatchedNotices } from "../agent/startup_log.ts";
import { attempt } from "../attempt.ts";
import { settlesWithin } from "../async/timeout.ts";
import type { Config } from "../config/config.ts";
import type { Machine } from "../metrics/machine.ts";
import { mayHang, type MountDecision } from "../metrics/mount_filter.ts";
import { STATFS_TIMEOUT_MS } from "../metrics/nonblocking_statfs.ts";
import { takeSnapshot } from "../metrics/snapshot.ts";
import { type CheckResult, ok, result, warning } from "./checks.ts";
import type { UnitSetting } from "../service/loaded_unit.ts";
import { mountWith } from "./doctor_rights.ts";
import { given } from "./doctor_options.ts";
import { usedUpOf } from "./state_trouble.ts";

export async function checkDisks(
  machine: Machine,
  config: Config,
  unit: readonly UnitSetting[],
): Promise<CheckResult> {
  takeSnapshot(machine.collectors);
  const all = machine.mounts();
  const { statfs } = await import("node:fs/promises");
  const options = { statfs, timeoutMs: STATFS_TIMEOUT_MS };
  const { hanging, full } = await askMounts(askedMounts(all), options);
  const found = disksResult(all, hanging, config);
  if (hanging.length > 0) return found;
  const names = all.filter(({ counted }) => counted).map(({ mountPoint }) => mountPoint);
  return unmatchedResult(config, machine, { of: "mountpoint", names, unit }) ??
    fullResult(
      full.filter((path) => names.includes(path)),
      attempt(() => Deno.readTextFileSync("/proc/self/mountinfo")) ?? "",
    ) ??
    found;
}

/** The result for disks without any space; `undefined` without one, or where each takes nothing anyway. */
export function fullResult(full: readonly string[], mountinfo: string): CheckResult | undefined {
  const path = full.find((it) => mountWith("ro", it, mountinfo) === undefined);
  if (path === undefined) return undefined;
  return warning(
    `${path} is full: it has no space for users other than root, such as for an update or a log`,
    `make room: df -h ${path}; du -xh ${path} | sort -h | tail`,
  );
}

/** More names are not shown. */
const MAX_NAMES = 6;

/** The result for an option that asks for what this machine does not have; `undefined` where none does. */
export function unmatchedResult(
  config: Config,
  machine: Pick<Machine, "interfaces" | "mounts">,
  { of, names, unit }: {
    /** The settings of the service's unit. */
    unit: readonly UnitSetting[];
    /** A part of the option's name. */
    of: "nics" | "mountpoint";
    /** Names that it could have. */
    names: readonly string[];
  },
): CheckResult | undefined {
  const notice = unmatchedNotices(config, machine).find((text) => text.includes(of));
  const [, flag] = /^--(\S+)/.exec(notice ?? "") ?? [];
  if (notice === undefined || flag === undefined) return undefined;
  const origin =
    config.origins.get(flag.replaceAll("-", "_").replace("mountpoint", "mountpoints")) ?? "";
  const where = origin === "" || origin.startsWith("flag ") ? notice : `${notice} (see ${origin})`;
  const more = names.length > MAX_NAMES ? ["…"] : [];
  const shown = [...names.slice(0, MAX_NAMES), ...more].join(", ");
  // Without what is a pattern, or one of several.
  const [, path] = / (\/[^\s;*?[]*) is not mounted/.exec(notice) ?? [];
  return warning(
    names.length === 0 ? where : `${where}; those of this machine: ${shown}`,
    path && `mount it, if its disk is to be here: findmnt --verify; mount ${path}`,
    `name what is here: ${given({ config, unit }, `--${flag} NAMES`)}`,
    `or leave that option out: ${given({ config, unit }, `--unset ${flag}`)}`,
  );
}

/**
 * The mount points that are asked for an answer: one that is not counted hangs other programs all the
 * same, but automounts would be mounted for it.
 */
export function askedMounts(all: readonly MountDecision[]): string[] {
  return all.filter((it) => it.counted || (mayHang(it) && it.type !== "autofs"))
    .map(({ mountPoint }) => mountPoint);
}

/** The result for these mounts; `hanging` are the mount points that do not answer. */
export function disksResult(
  all: readonly MountDecision[],
  hanging: readonly string[],
  config: Config,
): CheckResult {
  const counted = all.filter((it) => it.counted).map(({ mountPoint }) => mountPoint);
  if (hanging.length > 0) {
    const isCounted = hanging.some((path) => counted.includes(path));
    return result(
      isCounted ? "failed" : "warning",
      `${hanging.join(", ")} does not answer within ${STATFS_TIMEOUT_MS / 1000} s`,
      "see whether its server answers: findmnt -T " + (hanging[0] ?? "/"),
      "if it is not needed, unmount it: umount -l " + (hanging[0] ?? "/"),
    );
  }
  return countedResult(counted, {
    leftOut: all.length - counted.length,
    none: "none is counted, so no disk space is reported",
    choice: given({ config }, "--include-mountpoint PATHS"),
  });
}

/** The result for the interfaces or mounts of these names, which count. */
export function countedResult(
  names: readonly string[],
  { leftOut, none, choice }: {
    leftOut: number;
    /** The text where none counts. */
    none: string;
    /** The option that chooses them. */
    choice: string;
  },
): CheckResult {
  return names.length > 0
    ? ok(`${names.join(", ")} counted, ${leftOut} left out`)
    : warning(none, `--dry-run says why each is left out; this chooses them: ${choice}`);
}

/** The paths whose file system does not answer in time, and those of which no space is left. */
export async function askMounts(
  paths: readonly string[],
  { statfs, timeoutMs }: {
    statfs: (path: string) => Promise<Parameters<typeof usedUpOf>[0]>;
    timeoutMs: number;
  },
): Promise<{ hanging: string[]; full: string[] }> {
  const hanging: string[] = [];
  const full: string[] = [];
  await Promise.all(paths.map(async (path) => {
    // A mount of another namespace, as in a container, is not here at all, and answers with an error.
    const used = statfs(path).then(usedUpOf, () => undefined);
    if (!await settlesWithin(used, timeoutMs)) hanging.push(path);
    else if (await used === "space") full.push(path);
  }));
  return { hanging, full };
}
