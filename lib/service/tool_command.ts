/** A program of the system's that is to be run, with its words. */
export interface ToolCommand {
  readonly tool: string;
  readonly args: readonly string[];
  /** Whether nothing is wrong when it fails: what it was to undo may be gone already. */
  readonly mayFail?: boolean;
}

/** How a program ended. */
export interface ToolResult {
  /** 0 when all went well; 127 when there is no such program. */
  readonly code: number;
  /** What it wrote, both streams, cut to a bounded length. */
  readonly output: string;
}

/** Runs programs of the system's. */
export interface Tools {
  /** Never throws but when `signal` aborts. */
  run(command: ToolCommand, options: { signal: AbortSignal }): Promise<ToolResult>;
}

/**
 * Runs programs one after the other.
 *
 * @throws {Error} When one fails that may not (`Cannot run …`), with the last that it wrote.
 */
export async function runTools(
  commands: readonly ToolCommand[],
  { tools, signal }: { tools: Tools; signal: AbortSignal },
): Promise<void> {
  for (const command of commands) {
    const { code, output } = await tools.run(command, { signal });
    if (code === 0 || command.mayFail) continue;
    const why = output.trim().split("\n").slice(-3).join("; ") || `it ended with code ${code}`;
    throw new Error(`Cannot run "${toolLine(command)}": ${why}`);
  }
}

/** A command as it would be typed. */
export function toolLine({ tool, args }: ToolCommand): string {
  return [tool, ...args].map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
  ).join(" ");
}
