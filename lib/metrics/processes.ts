import type { Host } from "../host/host.ts";

/** Parts of the host that counting needs. */
export type ProcessHost = Pick<
  Host,
  "roots" | "listFolders" | "exists" | "readLink" | "openLinkCount"
>;

/** `/proc/self/ns/pid` outside containers; the inode number is fixed in the kernel. */
const FIRST_NAMESPACE = "pid:[4026531836]";
/** The number of the kernel's own folders may be off by a few; hidden processes are dozens. */
const TOLERANCE = 4;
const MAX_TRIES = 5;

/**
 * Counts processes at constant cost.
 *
 * The kernel counts each process as a hard link of `/proc`, beside the folder's own two and one per
 * other folder in it. In a pid namespace the links include the host's processes; then the listing is
 * much shorter, and each count lists `/proc`.
 */
export class ProcessCollector {
  readonly #count: () => number | undefined;

  /** `countListed` counts the process folders in `/proc`, where the link count is not usable. */
  constructor(host: ProcessHost, countListed: () => number | undefined) {
    this.#count = linkCounter(host) ?? countListed;
  }

  /**
   * Number of processes, zombies included.
   *
   * @throws {Error} When `/proc` can't be listed.
   */
  collect(): number {
    const count = this.#count();
    if (count === undefined) throw new Error("Cannot list all processes in /proc");
    return count;
  }
}

function linkCounter(host: ProcessHost): (() => number) | undefined {
  const { proc } = host.roots;
  if (!host.exists(proc)) return undefined;
  const linkCount = host.openLinkCount(proc);
  if (linkCount === undefined) return undefined;
  const sample = stableSample(host, linkCount);
  if (sample === undefined) return undefined;
  const fixed = 2 + sample.folders;
  const hidden = sample.links - fixed - sample.processes;
  if (Math.abs(hidden) <= TOLERANCE + sample.churn) {
    // Between two equal link counts the listing is exact.
    const base = sample.churn === 0 ? sample.links - sample.processes : fixed;
    return () => linkCount() - base;
  }
  // With `hidepid` the listing of the whole machine lacks other users' processes, the first one too.
  const whole = hidden > 0 && !sample.hasFirst &&
    host.readLink(`${proc}/self/ns/pid`) === FIRST_NAMESPACE;
  return whole ? () => linkCount() - fixed : undefined;
}

interface ProcSample {
  links: number;
  processes: number;
  folders: number;
  /** It shows process 1, which nobody sees from whom others are hidden. */
  hasFirst: boolean;
  /** Change of the link count during the listing. */
  churn: number;
}

/** Samples until no process starts or ends in between, at most {@linkcode MAX_TRIES} times. */
function stableSample(host: ProcessHost, linkCount: () => number): ProcSample | undefined {
  const { proc } = host.roots;
  let last: ProcSample | undefined;
  for (let tries = 0; tries < MAX_TRIES && last?.churn !== 0; tries++) {
    const before = linkCount();
    const names = host.listFolders(proc);
    const links = linkCount();
    if (names === undefined) return undefined;
    const processes = names.filter((name) => /^\d+$/.test(name)).length;
    last = {
      links,
      processes,
      folders: names.length - processes,
      hasFirst: names.includes("1"),
      churn: Math.abs(links - before),
    };
  }
  return last;
}
