import { LocalHost } from "../lib/host/local_host.ts";
import { openLinuxMachine } from "../lib/metrics/machine.ts";
import { takeSnapshot } from "../lib/metrics/snapshot.ts";
import { configOf } from "../tests/metrics/config_of.ts";
import { MeasuredProcess } from "./process_cost.ts";
import { RUN_FLAGS } from "./programs.ts";

/** What a report reads each time. */
const FILES = [
  "/proc/stat",
  "/proc/meminfo",
  "/proc/loadavg",
  "/proc/uptime",
  "/proc/net/dev",
  "/proc/net/sockstat",
  "/proc/net/sockstat6",
];

const ROUNDS = 30;
const PER_ROUND = 100;

/** Microseconds of both sides in each round. */
export interface Rounds {
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

/** A snapshot, and bare re-reading of its files by open handles. */
export function snapshotAndBareReading(): Rounds {
  const snapshot = snapshotTaker();
  const reading = bareReader();
  timed(snapshot);
  timed(reading);
  const rounds = Array.from({ length: ROUNDS }, () => [timed(snapshot), timed(reading)] as const);
  return { ours: rounds.map(([us]) => us), theirs: rounds.map(([, us]) => us) };
}

/** A snapshot with 10,000 connections, and one without them. */
export async function snapshotWithCrowdAndWithout(): Promise<Rounds> {
  const theirs: number[] = [];
  const ours: number[] = [];
  const snapshot = snapshotTaker();
  timed(snapshot);
  for (let pass = 0; pass < 3; pass++) {
    for (let round = 0; round < ROUNDS; round++) theirs.push(timed(snapshot));
    await using listener = new MeasuredProcess([...RUN_FLAGS, CROWD, "listen"], PIPED);
    const port = await listener.firstLine();
    await using dialer = new MeasuredProcess([...RUN_FLAGS, CROWD, "dial", port, "10000"], PIPED);
    await dialer.firstLine();
    for (let round = 0; round < ROUNDS; round++) ours.push(timed(snapshot));
  }
  return { ours, theirs };
}

const PIPED = { stdout: "piped" } as const;
const CROWD = new URL("crowd.ts", import.meta.url).pathname;

function snapshotTaker(): () => void {
  const { collectors } = openLinuxMachine(new LocalHost(), configOf());
  return () => void takeSnapshot(collectors);
}

function bareReader(): () => void {
  const files = FILES.map((path) => Deno.openSync(path));
  const host = new LocalHost();
  const processes = host.openLinkCount("/proc");
  const buffer = new Uint8Array(32 * 1024);
  return () => {
    for (const file of files) {
      file.seekSync(0, Deno.SeekMode.Start);
      while ((file.readSync(buffer) ?? 0) > 0);
    }
    processes?.();
    host.statfs("/");
  };
}

/** Microseconds of one run. */
function timed(run: () => void): number {
  const start = performance.now();
  for (let count = 0; count < PER_ROUND; count++) run();
  return (performance.now() - start) * 1000 / PER_ROUND;
}
