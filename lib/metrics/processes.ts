import type { Host } from "../host/host.ts";

/** What the count needs of the machine. */
export type ProcessHost = Pick<Host, "roots" | "list" | "exists" | "readLink" | "openLinkCount">;

/** `/proc/self/ns/pid` of a process that is in no container; the kernel fixes the number. */
const FIRST_NAMESPACE = "pid:[4026531836]";
/** The number of folders that the kernel makes may be off by a few; other processes are dozens. */
const TOLERANCE = 4;
const MAX_TRIES = 5;

/**
 * Counts processes at a cost that does not grow with them.
 *
 * The kernel counts every process as a hard link of `/proc`, beside the folder's own two and one
 * for each folder that it made there. Within a pid namespace that counts the host's processes too,
 * which shows in a listing that is much shorter; there each count lists anew.
 */
export class ProcessCollector {
  readonly #count: () => number | undefined;
  readonly #byLinks: boolean;

  /** `countListed` counts the process folders in `/proc`; it is asked where the links tell nothing. */
  constructor(host: ProcessHost, countListed: () => number | undefined) {
    const byLinks = linkCounter(host);
    this.#byLinks = byLinks !== undefined;
    this.#count = byLinks ?? countListed;
  }

  /** Whether the kernel's own count serves, not a listing. */
  get byLinks(): boolean {
    return this.#byLinks;
  }

  /** Processes, zombies included. */
  collect(): number | undefined {
    return this.#count();
  }
}

function linkCounter(host: ProcessHost): (() => number) | undefined {
  const { proc } = host.roots;
  if (!host.exists(proc)) return undefined;
  const linkCount = host.openLinkCount(proc);
  if (linkCount === undefined) return undefined;
  const look = stableSample(host, linkCount);
  if (look === undefined) return undefined;
  const fixed = 2 + look.folders;
  const hidden = look.links - fixed - look.processes;
  if (Math.abs(hidden) <= TOLERANCE + look.churn) {
    // Between two equal readings the listing is exact, and better than counting the folders.
    const base = look.churn === 0 ? look.links - look.processes : fixed;
    return () => linkCount() - base;
  }
  // With `hidepid` a listing lacks other users' processes though this is the whole machine.
  const whole = hidden > 0 && host.readLink(`${proc}/self/ns/pid`) === FIRST_NAMESPACE;
  return whole ? () => linkCount() - fixed : undefined;
}

interface ProcSample {
  links: number;
  processes: number;
  folders: number;
  /** By how much the link count changed meanwhile. */
  churn: number;
}

/** Looks until no process comes or goes in between, or for the last time. */
function stableSample(host: ProcessHost, linkCount: () => number): ProcSample | undefined {
  const { proc } = host.roots;
  let last: ProcSample | undefined;
  for (let tries = 0; tries < MAX_TRIES && last?.churn !== 0; tries++) {
    const before = linkCount();
    const names = host.list(proc);
    const links = linkCount();
    if (names === undefined) return undefined;
    const others = names.filter((name) => !/^\d+$/.test(name));
    last = {
      links,
      processes: names.length - others.length,
      folders: others.filter((name) => isFolder(host, `${proc}/${name}`)).length,
      churn: Math.abs(links - before),
    };
  }
  return last;
}

function isFolder(host: ProcessHost, path: string): boolean {
  // Only a folder has anything behind its slash, but a link to one (`self`) has it too.
  return host.exists(`${path}/.`) && host.readLink(path) === undefined;
}
