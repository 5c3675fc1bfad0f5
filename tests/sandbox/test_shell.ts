import { Shell, type ShellOptions } from "../../lib/sandbox/shell.ts";
import { writeExecutable } from "../executable.ts";
import { type SeenChild, StartedProcesses } from "../started_processes.ts";
import { TempFolder } from "../temp_folder.ts";

export const started = new StartedProcesses();

/** A folder with programs, each a script for `sh`. */
export function ofPrograms(programs: Readonly<Record<string, string>>): TempFolder {
  const folder = new TempFolder();
  for (const [name, script] of Object.entries(programs)) {
    writeExecutable(`${folder.path}/${name}`, `#!/bin/sh\n${script}\n`);
  }
  return folder;
}

interface TestShellOptions extends Partial<ShellOptions> {
  /** All that is on its PATH; the system's programs when absent. */
  readonly programs?: Readonly<Record<string, string>>;
  /** Whether the system's programs are behind these on its PATH. */
  readonly hasSystems?: boolean;
}

/** A shell, which is closed when the block ends. */
export class TestShell extends Shell implements AsyncDisposable {
  /** Where its programs are. */
  readonly folder: string;
  readonly #programs: TempFolder;
  readonly #before: ReadonlySet<number>;

  constructor({ programs, hasSystems = false, ...options }: TestShellOptions = {}) {
    const before = new Set(started.descendants().map(({ pid }) => pid));
    const folder = ofPrograms(programs ?? {});
    const path = hasSystems ? `${folder.path}:/usr/bin:/bin` : folder.path;
    super({ proc: "/proc", ...(programs && { path }), ...options });
    this.folder = folder.path;
    this.#programs = folder;
    this.#before = before;
  }

  /** What has come below this process since before the shell was started. */
  below(): SeenChild[] {
    return started.descendants().filter(({ pid }) => !this.#before.has(pid));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _programs = this.#programs;
    await this.close();
  }
}
