/**
 * What the panel of main, October 2026, does when an agent answers a request with an error.
 *
 * @module
 */

/** What the panel does about a part of a download that failed. */
export type DownloadVerdict =
  /** It ends the download at once. */
  | "stop"
  /** It asks for a part of half the size at once. */
  | "halve"
  /** It asks three times, then for a part of half the size. */
  | "halve later"
  /** It asks three times, then ends the download. */
  | "three tries";

const STOPPING = [400, 401, 403, 404, 405, 409, 410, 411, 413, 415, 422, 501];

const SHRINKING = [
  " 502 ",
  " 503 ",
  " 504 ",
  "broken pipe",
  "connection reset",
  "unexpected eof",
  "timeout",
];

/** Judges the error of a part of a download by its words. */
export function judgeDownload(error: string): DownloadVerdict {
  const text = error.toLowerCase();
  if (STOPPING.some((status) => text.includes(` ${status} `))) return "stop";
  if (text.includes("status 413")) return "halve";
  return SHRINKING.some((words) => text.includes(words)) ? "halve later" : "three tries";
}

/** Whether the panel looks by itself whether an upload is there, after its merge has failed. */
export function checksMerge(error: string): boolean {
  return error.toLowerCase().includes("unknown upload session");
}
