import { install } from "@sinonjs/fake-timers";
import { setUpLog } from "../../lib/log/log.ts";

/** What the panel's room logs meanwhile, in the order of time; the clock stands still. */
export function panelLines(use: () => void): string[] {
  const lines: string[] = [];
  const clock = install();
  const options = { format: "json", secrets: [], forJournal: false } as const;
  setUpLog({ ...options, level: "debug", write: (line) => lines.push(wordsOf(line)) });
  try {
    use();
  } finally {
    setUpLog({ ...options, level: "error", write: () => {} });
    clock.uninstall();
  }
  return lines;
}

function wordsOf(line: string): string {
  const { level, message } = JSON.parse(line);
  return `${level} ${message}`;
}
