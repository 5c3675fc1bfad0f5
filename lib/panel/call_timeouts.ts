/** How long the panel has to answer a call, in milliseconds, over whatever transport. */
export const CALL_TIMEOUT_MS = {
  /** Up to 1.4 the panel may take 5 s, since it looks up the country. */
  basicInfo: 20_000,
  probeResult: 10_000,
  commandResult: 30_000,
  /** Up to 4 MiB of output, by a slow uplink. */
  longCommandResult: 120_000,
  /** The list of a large folder takes a while. */
  fileResult: 30_000,
  startupConfig: 10_000,
  tasks: 10_000,
  /** The panel answers after 25 s when it has no events. */
  pull: 40_000,
  register: 30_000,
} as const;

/** Time for calls in flight when the agent stops, in milliseconds. */
export const STOP_GRACE_MS = 500;

/**
 * Time for the results of commands when the agent stops, which nothing sends again, in milliseconds: a
 * quiet machine needs 50, and OpenRC gives the process 5 s to end.
 */
export const STOP_RESULTS_MS = 3_000;
