import type { HealthFile } from "../../lib/state/health_file.ts";
import { atDate } from "../fake_time.ts";

/** Records a report that the panel has accepted at another time than now. */
export function acceptAt(
  file: HealthFile,
  { intervalMs, atMs }: { intervalMs: number; atMs: number },
): void {
  atDate(atMs, () => file.accepted(intervalMs));
}
