import { setUpLog } from "../../lib/log/log.ts";

/** Runs `use` with the log going into a list, and gives the list. */
export async function collectedLog(use: (lines: string[]) => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  const options = { format: "text", secrets: [], forJournal: false } as const;
  setUpLog({ ...options, level: "debug", write: (line) => lines.push(line) });
  try {
    await use(lines);
  } finally {
    setUpLog({ ...options, level: "error", write: () => {} });
  }
  return lines;
}
