import { type ToolCommand, toolLine, type ToolResult } from "../host/tool_runner.ts";
import { truncate } from "../parse/bounded_text.ts";
import type { InstallRecord } from "./install_record.ts";
import { recordedManager } from "./managers.ts";
import type { ManagerKind } from "./service_manager.ts";
import type { TargetSystem } from "./target_system.ts";

const MAX_ERROR_LENGTH = 300;
/** Longer than a service manager that answers takes. */
const ANSWER_MS = 3_000;

/** The state of an installed service. */
export interface ServiceState {
  readonly name: string;
  readonly manager: ManagerKind;
  /** Whether it runs; `undefined` where its manager gives no answer. */
  readonly isActive: boolean | undefined;
  /** Whether it is started at boot; `undefined` where its manager gives no answer. */
  readonly isEnabled: boolean | undefined;
  /** The command that follows its log. */
  readonly logHint: string;
  /** The command that starts it. */
  readonly start: string;
  /** The command that has it started at boot. */
  readonly enable: string;
  /** Why it has ended, by its log, unless it was stopped; empty when the log's end does not say. */
  readonly lastError: string;
  /** The last line that its process has written, whatever it says; empty where the log has none. */
  readonly lastLine: string;
  /** How its process before was ended, by its log, in words; empty where it has ended by itself. */
  readonly lastDeath: string;
  /** Whether this user may not read its log. */
  readonly isLogHidden: boolean;
}

/** The state of the service of a record, by its manager. */
export async function serviceState(
  record: InstallRecord,
  system: Pick<TargetSystem, "tools" | "home" | "uid">,
  signal: AbortSignal,
): Promise<ServiceState> {
  const manager = recordedManager(record, system);
  const options = { signal, timeoutMs: ANSWER_MS };
  const succeeds = async (command: ToolCommand) =>
    toAnswer(await system.tools.run(command, options));
  const [isActive, isEnabled] = await Promise.all([
    succeeds(manager.isActive),
    succeeds(manager.isEnabled),
  ]);
  const { logHint, logTail } = manager;
  const output = withoutColors((await system.tools.run(logTail, options)).output);
  const own = withoutPanels(output);
  const isLogHidden = /insufficient permissions|not seeing messages from other users/.test(own);
  return {
    name: record.service,
    manager: record.manager,
    isActive,
    isEnabled,
    logHint: isLogHidden ? `sudo ${logHint}` : logHint,
    // People start what is stopped, although a restart does the same.
    start: manager.restart.slice(-1).map(toolLine).join("").replace(/\brestart\b/, "start"),
    enable: manager.enable.map(toolLine).join(" && "),
    lastError: lastError(own),
    lastLine: lastLine(output),
    lastDeath: lastDeath(own),
    isLogHidden,
  };
}

/** What a manager's command says by its exit code; `undefined` where it has not reached the manager. */
function toAnswer({ code, output }: ToolResult): boolean | undefined {
  const isSilent = code === 124 || code === 127 ||
    /Failed to connect to|timed out|not been booted with systemd/.test(output);
  return isSilent ? undefined : code === 0;
}

/** The runtime colors what it says, also in a log. */
function withoutColors(text: string): string {
  return text.replace(/\p{Cc}\[[\d;]*m/gu, "");
}

/** A log without the lines on panels and probes, which may hold a panel's words. No agent ends by them. */
function withoutPanels(log: string): string {
  return log.replace(
    /^.*(?:\b(?:net|panel|probe|remote)(?:: |：)|"component":"(?:net|panel|probe|remote)").*$/gm,
    "",
  );
}

/** What systemd itself writes of a unit into its log. */
const OF_SYSTEMD =
  /^-- |^No journal files|^\S+\.service: |^(?:Started|Starting|Stopped|Stopping|Failed to start) /;

function lastLine(tail: string): string {
  const lines = tail.split("\n").map((line) => line.trim());
  const since = lines.findLastIndex((line) => /^Started /.test(line));
  const line = lines.slice(since + 1).findLast((line) => line !== "" && !OF_SYSTEMD.test(line));
  return truncate(line ?? "", MAX_ERROR_LENGTH);
}

/** The last line by which the program, or the runtime, has said why it ended. */
function lastError(tail: string): string {
  const lines = tail.split("\n").map((line) => line.trim());
  const stopped = lines.findLastIndex((line) =>
    /: Stopped$|：已停止$|Deactivated successfully/.test(line)
  );
  const started = lines.findLastIndex((line) => /^Started /.test(line));
  // A start that has ended has said why itself, or not at all.
  const hasEnded = lines.slice(started + 1).some((line) => /Main process exited/.test(line));
  // Who was killed has not ended by what it said before.
  const killed = lines.findLastIndex((line) =>
    /code=killed, status=(?:9\/KILL|15\/TERM)/.test(line)
  );
  const since = Math.max(stopped, killed, hasEnded ? started : -1);
  // systemd says that it failed to start the service whatever the cause is.
  const said = lines.slice(since + 1);
  const error =
    said.findLast((line) =>
      /\bCannot |Failed to |^error: |panicked|^# Fatal /.test(line) &&
      !/^Failed to start .*\.$|Failed to run 'start' task|, ignoring: /.test(line)
    ) ?? said.findLast((line) => /: Failed at step /.test(line));
  return truncate(error?.replace(/^# /, "") ?? "", MAX_ERROR_LENGTH);
}

/** How the last process was ended, by what systemd has written of it. */
function lastDeath(tail: string): string {
  const words = /(killed by the OOM killer)|Main process exited, code=(\w+), status=\d+\/(\w+)/g;
  const [[, oom, code, signal] = [], [, oomBefore] = []] = [...tail.matchAll(words)].reverse();
  return oom !== undefined || oomBefore !== undefined
    ? "the kernel killed it, because memory was used up"
    : code === "killed" || code === "dumped"
    ? `its process was ended by SIG${signal}`
    : "";
}
