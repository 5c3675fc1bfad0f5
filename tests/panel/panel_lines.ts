import { setUpLog } from "../../lib/log/log.ts";
import { FakeTime } from "../fake_time.ts";

/** What is logged meanwhile, each line behind its level; time passes only as `use` says. */
export function panelLines(use: (time: FakeTime) => void): string[] {
  const lines: string[] = [];
  using time = new FakeTime();
  const options = { format: "json", secrets: [], forJournal: false } as const;
  setUpLog({ ...options, level: "debug", write: (line) => lines.push(messageOf(line)) });
  try {
    use(time);
  } finally {
    setUpLog({ ...options, level: "error", write: () => {} });
  }
  return lines;
}

function messageOf(line: string): string {
  const { level, message } = JSON.parse(line);
  return `${level} ${message}`;
}
