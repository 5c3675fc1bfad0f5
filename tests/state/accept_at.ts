import type { HealthFile } from "../../lib/state/health_file.ts";

/** Records a report that the panel has accepted at another time than now. */
export function acceptAt(
  file: HealthFile,
  { intervalMs, atMs }: { intervalMs: number; atMs: number },
): void {
  const { now } = Date;
  Date.now = () => atMs;
  try {
    file.accepted(intervalMs);
  } finally {
    Date.now = now;
  }
}
