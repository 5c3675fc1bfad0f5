/** Ticks of a second in `/proc/PID/stat`: `getconf CLK_TCK`, the same on all systems in use. */
const CLOCK_TICKS = 100;

/** What of a process can be seen from outside, without its help. */
export interface SeenProcess {
  residentMb: number;
  /** The most that was resident since its start, in MiB. */
  peakMb: number;
  /** Sockets of every kind that it holds. */
  sockets: number;
  /** Open files of every kind, sockets among them. */
  descriptors: number;
  /** Processes that it has started and that live; an ended one that nobody has waited for counts. */
  children: number;
}

/** Looks at a process of this user's by `/proc`. */
export function seeProcess(pid: number): SeenProcess {
  return {
    residentMb: residentMb(pid),
    peakMb: statusMb(pid, "VmHWM"),
    sockets: sockets(pid),
    descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
    children: children(pid),
  };
}

/** Resident memory of a process, in MiB. */
export function residentMb(pid: number): number {
  return statusMb(pid, "VmRSS");
}

/** The part of it that is no page of a file, in MiB. */
export function anonymousMb(pid: number): number {
  return statusMb(pid, "RssAnon");
}

function statusMb(pid: number, field: string): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
}

/** Processor time that a process has taken so far, in seconds. */
export function cpuSeconds(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

function sockets(pid: number): number {
  let count = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      if (Deno.readLinkSync(`/proc/${pid}/fd/${name}`).startsWith("socket:")) count++;
    } catch {
      // It was closed meanwhile.
    }
  }
  return count;
}

function children(pid: number): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const [, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(parent) === pid) count++;
    } catch {
      // It ended meanwhile.
    }
  }
  return count;
}
