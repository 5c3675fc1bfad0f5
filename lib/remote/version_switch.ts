import type { Programs } from "../host/programs.ts";
import { getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { quoteStart } from "../parse/bounded_text.ts";

/** Settings of updates that the panel orders. */
export interface VersionSwitchOptions {
  /** `undefined` when remote control is off: every order is refused then. */
  readonly programs: Programs | undefined;
  /** Why this program can't be updated, as the log says it; `undefined` if it can. */
  readonly obstacle: string | undefined;
  /** Path of this program, which has the command `update`. */
  readonly programPath: string;
  /** The whole environment of the update. */
  readonly env: Readonly<Record<string, string>>;
  /** The text of `/proc/self/cgroup`; empty if there is none. */
  readonly cgroup: string;
  /** Milliseconds on a clock that only runs forward. */
  monotonicMs(): number;
}

/** Orders that come sooner after one that was obeyed are ignored. */
const MIN_INTERVAL_MS = 10 * 60_000;

/**
 * Updates to the latest version when the panel orders it, by the same command or unit as every
 * update: it verifies the release, and rolls back a version that does not report. Orders for any
 * other version are refused.
 */
export class VersionSwitch {
  readonly #options: VersionSwitchOptions;
  readonly #log = getLogger("remote");
  readonly #refusalLog = new LogRateLimit({ lines: 1, periodMs: Infinity });
  #isRunning = false;
  #startedAtMs = -Infinity;

  constructor(options: VersionSwitchOptions) {
    this.#options = options;
  }

  /** Starts an update, or logs once why not. */
  handle(version: string): void {
    const { programs, obstacle, monotonicMs } = this.#options;
    const refusal = programs === undefined
      ? "remote control is off"
      : version !== "latest"
      ? "only the latest version can be installed"
      : obstacle;
    if (programs === undefined || refusal !== undefined) {
      if (!this.#refusalLog.allows()) return;
      this.#log.warning("Refused to switch to version {version}: {refusal}", {
        version: quoteStart(version),
        refusal,
      });
      return;
    }
    const nowMs = monotonicMs();
    if (this.#isRunning || nowMs - this.#startedAtMs < MIN_INTERVAL_MS) return;
    this.#startedAtMs = nowMs;
    this.#update(programs);
  }

  async #update(programs: Programs): Promise<void> {
    const { programPath, env, cgroup } = this.#options;
    this.#isRunning = true;
    this.#log.info("Updating to the latest version, as the panel has ordered");
    const [command, ...args] = updateArguments(cgroup, programPath);
    const isSuccess = await programs.run(command, { args, env, cwd: "/" });
    this.#isRunning = false;
    if (isSuccess) return;
    const line = [command, ...args].join(" ");
    this.#log.warning('The update failed: run "{line}" to see why', { line });
  }
}

/**
 * The command that updates once. Under systemd it starts the update's own unit, since everything in
 * the agent's unit ends when the agent is restarted; elsewhere it is the program's.
 */
export function updateArguments(
  cgroup: string,
  programPath: string,
): [command: string, ...args: string[]] {
  const units = [...cgroup.matchAll(/^\d+:[^:]*:(?:.*\/)?([^/\n]+)\.service$/gm)];
  const [line, unit] = units[0] ?? [];
  if (line === undefined || unit === undefined) return [programPath, "update", "--now"];
  const scope = /\/user@\d+\.service\//.test(line) ? ["--user"] : [];
  return ["systemctl", ...scope, "start", "--no-block", `${unit}-update.service`];
}
