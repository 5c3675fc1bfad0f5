import script from "../../lib/sandbox/helper_shell.sh" with { type: "text" };
import { Shell, type ShellOptions } from "../../lib/sandbox/shell.ts";
import { denoOutput } from "../deno_output.ts";
import { writeExecutable } from "../executable.ts";
import { exists } from "../exists.ts";
import { type SeenChild, StartedProcesses } from "../started_processes.ts";
import { TempFolder } from "../temp_folder.ts";

export const started = new StartedProcesses();

type Words = readonly [string, ...string[]];

/** The shells that `/bin/sh` is on common systems, as far as they are here. */
export const SHELLS: readonly Words[] = ([
  ["/usr/bin/dash"],
  ["/usr/bin/bash", "--posix"],
  ["/usr/bin/busybox", "ash"],
] as const).filter(([command]) => exists(command));

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

/** Code of another process that uses {@linkcode Shell} follows this. */
export const IMPORT_SHELL = `import { Shell } from "${new URL(
  "../../lib/sandbox/shell.ts",
  import.meta.url,
)}";`;

/** What such code prints, in an environment with these variables. */
export function printedBy(code: string, env: Readonly<Record<string, string>>): Promise<string> {
  return denoOutput("eval --ext=ts", [IMPORT_SHELL + code], { env });
}

interface ScriptOptions {
  readonly path?: string;
  readonly cwd?: string;
  /** Its further arguments. */
  readonly words?: readonly string[];
}

/** The shell's script itself, to be spoken to in place of an agent that checks what it asks. */
export function spawnScript(
  [command, ...args]: Words,
  { path = Deno.env.get("PATH") ?? "", cwd, words = [] }: ScriptOptions,
): Deno.ChildProcess {
  return new Deno.Command(command, {
    args: [...args, "-c", script, "sh", "/proc", ...words],
    ...{ clearEnv: true, env: { LC_ALL: "C", PATH: path }, ...(cwd !== undefined && { cwd }) },
    ...{ stdin: "piped", stdout: "piped", stderr: "null", detached: true },
  }).spawn();
}

/** What the script answers to these lines. */
export async function scriptAnswers(
  shell: Words,
  lines: readonly string[],
  options: ScriptOptions,
): Promise<string[]> {
  const child = spawnScript(shell, options);
  const writing = new Blob([lines.join("\n") + "\n"]).stream().pipeTo(child.stdin);
  const { stdout } = await child.output();
  await writing;
  return new TextDecoder().decode(stdout).trim().split("\n");
}
