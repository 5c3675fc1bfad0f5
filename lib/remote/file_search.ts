import type { FileArguments, FileContext } from "./file_arguments.ts";
import { openForReading } from "./regular_file.ts";

/** One file found; the names are those of the wire. */
export interface SearchMatch {
  readonly path: string;
  /** The first line that has the text, from 1 on; 0 when the file's name was searched. */
  readonly line: number;
  /** The start of that line. */
  readonly text?: string | undefined;
  readonly is_dir: boolean;
}

/** Result of a search. */
export interface SearchResult {
  readonly matches: readonly SearchMatch[];
  /** Whether the search ended early: there may be more. */
  readonly limited: boolean;
}

const MAX_MATCHES = 500;

/** The panel waits 90 s. */
const MAX_DURATION_MS = 60_000;

/** Longer files are not searched for content. */
const MAX_FILE_BYTES = 10 * 1024 * 1024;

const BUFFER_BYTES = 64 * 1024;

/** A longer line is searched in pieces. */
const MAX_LINE_LENGTH = 64 * 1024;

const MAX_TEXT_LENGTH = 300;

/** Folders that wait to be searched; more of them end the search early. */
const MAX_PENDING_FOLDERS = 50_000;

/** Folders that one search reads at a time. */
const PARALLEL_FOLDERS = 4;

/** Views of the kernel without end; searched only when the search begins there. */
const KERNEL_FOLDERS: ReadonlySet<string> = new Set(["/dev", "/proc", "/sys"]);

/**
 * Searches a folder and all below it for a name, or with `content` for a line, regardless of case; with
 * `content` also a single file.
 *
 * Links are not followed, binary files and those over 10 MiB not read. After 500 matches or 60 s it
 * gives what it has.
 *
 * @throws {Error} When `query` is missing or the folder can't be read. What can't be read below it is
 * left out.
 */
export async function searchFiles(
  args: FileArguments,
  { signal, folders }: FileContext,
): Promise<SearchResult> {
  const root = args.path("path");
  const query = args.text("query").toLowerCase();
  if (query === "") throw new TypeError("invalid argument: query is required");
  const endMs = performance.now() + MAX_DURATION_MS;
  const isContent = args.flag("content");
  const matches: SearchMatch[] = [];
  const pending: string[] = [];
  const isOver = () => {
    signal.throwIfAborted();
    return performance.now() >= endMs || matches.length >= MAX_MATCHES ||
      pending.length >= MAX_PENDING_FOLDERS;
  };
  const searchContent = async (path: string) => {
    const found = await findLine(path, { query, endMs }).catch(() => undefined);
    if (found !== undefined) matches.push({ path, ...found, is_dir: false });
  };
  const searchFolder = async (folder: string) => {
    const files: string[] = [];
    for await (const entries of folders.read(folder)) {
      for (const { name, isFolder, isFile } of entries) {
        const path = `${folder === "/" ? "" : folder}/${name}`;
        // By a name that is not UTF-8 nothing can be opened.
        const canOpen = name.isWellFormed();
        if (isFolder && canOpen && !KERNEL_FOLDERS.has(path)) pending.push(path);
        if (isContent && isFile && canOpen) files.push(path);
        if (!isContent && name.toWellFormed().toLowerCase().includes(query)) {
          matches.push({ path: path.toWellFormed(), line: 0, is_dir: isFolder });
        }
      }
      if (isOver()) return;
    }
    for (const path of files) if (!isOver()) await searchContent(path);
  };
  const info = await Deno.stat(root);
  if (!info.isFile) await searchFolder(root);
  else if (isContent) await searchContent(root);
  const running = new Set<Promise<void>>();
  for (;;) {
    while (pending.length > 0 && running.size < PARALLEL_FOLDERS && !isOver()) {
      // What can't be read is left out; that the time is over is seen by isOver().
      const searching = searchFolder(pending.pop() ?? "").catch(() => {})
        .finally(() => running.delete(searching));
      running.add(searching);
    }
    if (running.size === 0) break;
    await Promise.race(running);
  }
  return { matches: matches.slice(0, MAX_MATCHES), limited: isOver() };
}

/** The first line of a text file that has the query; `undefined` when there is none. */
async function findLine(
  path: string,
  { query, endMs }: { query: string; endMs: number },
): Promise<{ line: number; text: string } | undefined> {
  await using handle = await openForReading(path);
  if ((await handle.stat()).size > MAX_FILE_BYTES) return undefined;
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(BUFFER_BYTES);
  let rest = "";
  let line = 1;
  // Files of the kernel say that they are empty and have no end.
  for (let readBytes = 0; readBytes < MAX_FILE_BYTES && performance.now() < endMs;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length);
    const bytes = buffer.subarray(0, bytesRead);
    if (bytes.includes(0)) return undefined;
    readBytes += bytesRead;
    const lines = (rest + decoder.decode(bytes, { stream: bytesRead > 0 })).split("\n");
    const last = lines.pop() ?? "";
    const isEnd = bytesRead === 0;
    for (const text of isEnd ? [...lines, last] : lines) {
      const found = text.toLowerCase().includes(query);
      if (found) return { line, text: text.replace(/\r$/, "").slice(0, MAX_TEXT_LENGTH) };
      line++;
    }
    if (isEnd) return undefined;
    if (last.length > MAX_LINE_LENGTH && last.toLowerCase().includes(query)) {
      return { line, text: last.slice(0, MAX_TEXT_LENGTH) };
    }
    // A match may lie across the border of two pieces.
    rest = last.length > MAX_LINE_LENGTH ? last.slice(-query.length) : last;
  }
  return undefined;
}
