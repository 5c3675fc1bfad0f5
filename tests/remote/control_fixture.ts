import { assert } from "@std/assert";
import { Programs } from "../../lib/host/programs.ts";
import type { Config } from "../../lib/config/config.ts";
import { RemoteControl } from "../../lib/remote/remote_control.ts";
import { collectedLog } from "../log/collected_log.ts";
import { configOf } from "../metrics/config_of.ts";
import { onlyIf } from "../only_on.ts";
import { ShellHome } from "../shell_home.ts";
import { StartedProcesses } from "../started_processes.ts";
import { testsWith } from "../tests_with.ts";
import { FakePanel } from "./fake_panel.ts";
import { eventually } from "./processes_below.ts";

/** The processes that a test has started. */
export const started = new StartedProcesses();

const programs = new Programs();

/** Remote control of a panel that a test plays, and a look at what it leaves behind. */
export class ControlUnderTest implements AsyncDisposable {
  readonly #home = new ShellHome();
  readonly home = this.#home.path;
  readonly panel = new FakePanel();
  readonly answers = this.panel.sender.fileResults;
  readonly sockets = this.panel.opener.byRequest;
  /** Problems that were reported. */
  readonly problems: unknown[] = [];
  readonly config: Config;
  readonly control: RemoteControl;

  constructor({ isOff = false, args = [] }: { isOff?: boolean; args?: string[] } = {}) {
    const observer = { setProblem: (...problem: unknown[]) => void this.problems.push(problem) };
    this.config = configOf(["--enable-remote-control", "--interval", "3", ...args]);
    const { panel, config } = this;
    this.control = new RemoteControl(isOff ? undefined : programs, panel, config, observer);
  }

  run(taskId: string, command = "true"): void {
    this.control.handle({ kind: "command", taskId, command });
  }

  /** The results that the panel has: task, exit code and output of each. */
  get results(): string[] {
    const { commandResults } = this.panel.sender;
    return commandResults.map(({ taskId, output, exitCode }) => `${taskId} ${exitCode} ${output}`);
  }

  /** Waits for so many results. */
  async has(count: number): Promise<string[]> {
    await eventually(() => this.panel.sender.commandResults.length === count);
    return this.results;
  }

  open(requestId: string, resumable = false): void {
    this.control.handle({ kind: "terminal", requestId, resumable });
  }

  file(requestId: string | number, op: string, args: Record<string, unknown> = {}): void {
    this.control.handle({ kind: "file", requestId: `${requestId}`, op, args });
  }

  /** Orders something of files; what the next answer says. */
  async answer(op: string, args: Record<string, unknown> = {}): Promise<string> {
    const { length } = this.answers;
    this.file(length, op, args);
    await eventually(() => this.answers.length > length);
    const { requestId, ok, error } = this.answers[length] ?? {};
    return `${requestId} ${ok} ${error}`.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _ = this.#home;
    await this.control.close();
    await eventually(() => started.children().length === 0);
    assert(this.panel.opener.sockets.every(({ isClosed }) => isClosed));
  }
}

export const withControl = testsWith(() => new ControlUnderTest());
/** Tests of what needs a program that opens terminals. */
export const wherePty = onlyIf(programs.find("script", Deno.env.get("PATH") ?? "") !== undefined);

/** What such a control logs. */
export function logOf(
  act: (it: ControlUnderTest, lines: readonly string[]) => Promise<unknown>,
  { isOff = false, level = "info" as "info" | "debug" } = {},
): Promise<string[]> {
  return collectedLog(async (lines) => {
    await using it = new ControlUnderTest({ isOff });
    await act(it, lines);
  }, { level });
}
