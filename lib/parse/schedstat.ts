/** The time that a core has spent on tasks since boot. */
export interface CoreSchedule {
  readonly cpu: string;
  readonly runningNs: number;
  readonly waitingNs: number;
  readonly timeslices: number;
}

const CORE = /^cpu(\d{1,5}) (?:\d+ ){6}(\d{1,20}) (\d{1,20}) (\d{1,20})$/gm;

/** Parses the lines of cores in `/proc/schedstat`; those of other versions have no entry. */
export function parseSchedstat(text: string): CoreSchedule[] {
  return Array.from(
    text.matchAll(CORE),
    ([, cpu = "", runningNs, waitingNs, timeslices]) => ({
      cpu,
      runningNs: Number(runningNs),
      waitingNs: Number(waitingNs),
      timeslices: Number(timeslices),
    }),
  );
}
