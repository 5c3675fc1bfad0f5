import type { ProblemPart } from "../../lib/state/health_file.ts";
import type { ServiceState } from "../../lib/service/installed_service.ts";
import type { Health } from "../../lib/state/health_reader.ts";

/** What a running agent tells of itself. */
export function healthOf(change: Partial<Health> = {}): Health {
  return {
    ...{ pid: 7, version: "1.2.3", intervalMs: 3000, acceptedAtMs: 1, startedAtMs: 1 },
    ...{ panels: [], problems: [], seal: "", isRunning: true },
    ...change,
  };
}

/** A running agent that has seen this problem. */
export function problemHealth(part: ProblemPart, text: string): Health {
  return healthOf({ problems: [{ part, text, sinceMs: 0 }] });
}

/** A service of systemd's that runs and starts at boot. */
export const SERVICE: ServiceState = {
  ...{ name: "x", manager: "systemd", isActive: true, isEnabled: true },
  ...{ lastError: "", lastLine: "", lastDeath: "" },
  ...{ logHint: "journalctl -u x -f", start: "systemctl start x", enable: "systemctl enable x" },
  ...{ isLogHidden: false },
};
