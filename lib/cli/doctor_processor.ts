/**
 * What takes processor time from this machine: a quota of a container or a unit, or the machine's host.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { parentFolders, parseCgroup } from "../parse/cgroup.ts";
import { parseCpuTicks } from "../parse/proc_stat.ts";
import { type CompletedCheck, failed, warning } from "./checks.ts";

/** So much of one processor is little for any agent, and for checks that were late. */
const SMALL_PERCENT = 10;
const SMALL_PERCENT_WHEN_LATE = 50;
/** With so much stolen, checks and reports are late. */
const MUCH_STOLEN_PERCENT = 50;

type ReadText = (path: string) => string | undefined;

const readFile: ReadText = (path) => attempt(() => Deno.readTextFileSync(path));

/** A quota of processor time, in percent of one processor, and the file that has it. */
export interface ProcessorQuota {
  readonly percent: number;
  readonly file: string;
}

/** The smallest quota of the control groups that a process is in; `undefined` where none has one. */
export function processorQuota(
  pid: number | "self",
  readText: ReadText = readFile,
): ProcessorQuota | undefined {
  const group = parseCgroup(readText(`/proc/${pid}/cgroup`) ?? "", "cpu");
  if (group === undefined) return undefined;
  const top = `/sys/fs/cgroup${group.version === 2 ? "" : "/cpu"}`;
  const quotas = parentFolders(top, group.path).toReversed().flatMap((folder) => {
    const file = `${folder}/${group.version === 2 ? "cpu.max" : "cpu.cfs_quota_us"}`;
    const text = readText(file) ?? "";
    const [quota, period] = group.version === 2
      ? text.split(" ")
      : [text, readText(`${folder}/cpu.cfs_period_us`)];
    const percent = Number(quota) / Number(period) * 100;
    // Without one it is "max", or -1.
    return percent > 0 ? [{ percent, file }] : [];
  });
  return quotas.sort((one, other) => one.percent - other.percent)[0];
}

/** All the time of this machine's processors, and what its host has given to other machines. */
export interface ProcessorTimes {
  readonly all: number;
  readonly stolen: number;
}

/** The times since the boot; `undefined` where the kernel does not tell them. */
export function processorTimes(readText: ReadText = readFile): ProcessorTimes | undefined {
  const ticks = attempt(() => parseCpuTicks(readText("/proc/stat") ?? ""));
  if (ticks === undefined) return undefined;
  const times = Object.values(ticks);
  if (!times.every((time) => time !== undefined)) return undefined;
  return { all: times.reduce((sum, time) => sum + time, 0), stolen: ticks.steal ?? 0 };
}

/**
 * The check of the processor time, where little is left: of this process and the service's, by what
 * the host has taken since `before`.
 */
export function slowProcessor(
  { pid, name, before, isLate }: {
    /** The agent's process; 0 for none. */
    pid: number;
    /** The name of its service. */
    name: string;
    before: ProcessorTimes | undefined;
    /** Whether checks had no time. */
    isLate: boolean;
  },
  readText: ReadText = readFile,
): CompletedCheck[] {
  const make = isLate ? failed : warning;
  const small = (pid: number | "self") => {
    const quota = processorQuota(pid, readText);
    const most = isLate ? SMALL_PERCENT_WHEN_LATE : SMALL_PERCENT;
    return quota !== undefined && quota.percent <= most ? quota : undefined;
  };
  const own = small("self");
  const ofAgent = pid === 0 ? undefined : small(pid);
  const now = processorTimes(readText);
  const stolen = before === undefined || now === undefined || now.all === before.all
    ? 0
    : (now.stolen - before.stolen) / (now.all - before.all) * 100;
  const result = own !== undefined
    ? make(
      `this machine may use ${own.percent.toFixed(0)} % of one processor (${own.file})`,
      "have whoever runs its host, or started the container, allow more (docker run --cpus)",
    )
    : ofAgent !== undefined
    ? warning(
      `the agent may use ${ofAgent.percent.toFixed(0)} % of one processor (${ofAgent.file})`,
      `raise CPUQuota= of its unit, or of its slice: systemctl cat ${name}`,
    )
    : stolen >= MUCH_STOLEN_PERCENT
    ? make(
      `the host of this machine has given ${stolen.toFixed(0)} % of its processor time to others`,
      "ask the provider, whose host runs more machines than it can (st in top)",
    )
    : undefined;
  return result === undefined ? [] : [{ id: "processor", title: "Processor", ms: 0, ...result }];
}
