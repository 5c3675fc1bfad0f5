import { type LogOptions, setUpLog } from "../../lib/log/log.ts";

/** Runs `use` with the log going into a list, and gives the list. */
export async function collectedLog(
  use: (lines: string[]) => Promise<void>,
  options: Partial<LogOptions> = {},
): Promise<string[]> {
  const lines: string[] = [];
  const shared = { level: "info", format: "text", secrets: [], forJournal: false } as const;
  setUpLog({ ...shared, ...options, write: (line) => lines.push(line) });
  try {
    await use(lines);
  } finally {
    setUpLog({ ...shared, level: "error", write: () => {} });
  }
  return lines;
}

/** The same with all lines, however many they are. */
export function collectedDebugLog(use: (lines: string[]) => Promise<void>): Promise<string[]> {
  return collectedLog(use, { level: "debug" });
}
