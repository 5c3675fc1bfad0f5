import { KernelLookup } from "../../lib/host/kernel_lookup.ts";
import { LocalHost } from "../../lib/host/local_host.ts";
import { openLinuxMachine } from "../../lib/metrics/machine.ts";
import { takeSnapshot } from "../../lib/metrics/snapshot.ts";
import { MeasuredProcess, median } from "./process_cost.ts";

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

const ROUNDS = 31;
const PER_ROUND = 100;

/** How often a snapshot costs what bare re-reading of its files by open handles costs. */
export function snapshotOverBareReading(): number {
  const snapshot = snapshotTaker();
  const reading = bareReader();
  const ratios = Array.from({ length: ROUNDS }, () => timed(snapshot) / timed(reading));
  return median(ratios);
}

/** How often a snapshot costs with 10,000 connections what it costs without them. */
export async function snapshotWithCrowd(): Promise<number> {
  const quiet: number[] = [];
  const crowded: number[] = [];
  const snapshot = snapshotTaker();
  timed(snapshot);
  for (let pass = 0; pass < 3; pass++) {
    for (let round = 0; round < ROUNDS; round++) quiet.push(timed(snapshot));
    const listener = new MeasuredProcess([CROWD, "listen"], { stdout: "piped" });
    const port = await listener.firstLine();
    const dialer = new MeasuredProcess([CROWD, "dial", port, "10000"], { stdout: "piped" });
    await dialer.firstLine();
    for (let round = 0; round < ROUNDS; round++) crowded.push(timed(snapshot));
    await dialer.end();
    await listener.end();
  }
  return median(crowded) / median(quiet);
}

/** Milliseconds of one snapshot. */
export function snapshotMs(): number {
  const snapshot = snapshotTaker();
  timed(snapshot);
  return median(Array.from({ length: ROUNDS }, () => timed(snapshot))) / PER_ROUND;
}

const CROWD = new URL("crowd.ts", import.meta.url).pathname;

function snapshotTaker(): () => void {
  const host = new LocalHost();
  const { collectors } = openLinuxMachine(host, new KernelLookup(host), {
    includeNics: [],
    excludeNics: [],
    includeMountPoints: [],
    memoryMode: "htop",
    arch: Deno.build.arch,
  });
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

function timed(run: () => void): number {
  const start = performance.now();
  for (let count = 0; count < PER_ROUND; count++) run();
  return performance.now() - start;
}
