import type { FileArguments, FileContext } from "./file_arguments.ts";
import { openForReading } from "./open_file.ts";

/** One file found; the names are those of the wire. */
export interface SearchMatch {
  readonly path: string;
  /** The first line that has the text, from 1 on; 0 when the file's name was searched. */
  readonly line: number;
  /** The start of that line. */
  readonly text?: string;
  readonly is_dir: boolean;
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

/**
 * Folders that are read at a time: with fewer, the way to a thread and back takes longer than all else;
 * the runtime has 32 threads, which others need too.
 */
const PARALLEL_FOLDERS = 24;

/** Views of the kernel without end; searched only when the search begins there. */
const KERNEL_FOLDERS: ReadonlySet<string> = new Set(["/dev", "/proc", "/sys"]);

/**
 * Searches a folder and all below it for a name, or with `content` for a line, regardless of case; with
 * `content` also a single file.
 *
 * Links are not followed, binary files and those over 10 MiB not read. After 500 matches or 60 s it
 * gives what it has, and says that it is `limited`.
 *
 * @throws {Error} When `query` is missing or the folder can't be read. What can't be read below it is
 * left out.
 */
export async function searchFiles(
  args: FileArguments,
  { signal, folders }: FileContext,
): Promise<{ matches: readonly SearchMatch[]; limited: boolean }> {
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
    if (isOver()) return;
    const found = await findLine(path, query).catch(() => undefined);
    if (found !== undefined) matches.push(found);
  };
  const searchFolder = async (folder: string) => {
    const files: string[] = [];
    await folders.read(folder, (entries) => {
      if (isOver()) return;
      for (const { name, isDirectory, isFile } of entries) {
        const isMatch = !isContent && name.toWellFormed().toLowerCase().includes(query);
        if (!isMatch && !isDirectory && !isContent) continue;
        const path = `${folder === "/" ? "" : folder}/${name}`;
        if (isMatch) matches.push({ path: path.toWellFormed(), line: 0, is_dir: isDirectory });
        if (isDirectory && !KERNEL_FOLDERS.has(path)) pending.push(path);
        if (isContent && isFile) files.push(path);
      }
    });
    for (const path of files) await searchContent(path);
  };
  const isFile = (await Deno.stat(root)).isFile;
  if (isFile && isContent) await searchContent(await Deno.realPath(root));
  if (!isFile) await searchFolder(root);
  while (pending.length > 0 && !isOver()) {
    // Folders that can't be read are left out; isOver() ends the search when its time is over.
    const some = pending.splice(-PARALLEL_FOLDERS);
    await Promise.all(some.map((folder) => searchFolder(folder).catch(() => {})));
  }
  return { matches: matches.slice(0, MAX_MATCHES), limited: isOver() };
}

/** The first line of a text file that has the query; `undefined` when there is none. */
async function findLine(path: string, query: string): Promise<SearchMatch | undefined> {
  const info = await Deno.lstat(path);
  if (info.size > MAX_FILE_BYTES) return undefined;
  const handle = await openForReading(path, info);
  await using _ = handle;
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(BUFFER_BYTES);
  let rest = "";
  let line = 1;
  const matchOf = (text: string) => {
    return { path, line, text: text.slice(0, MAX_TEXT_LENGTH), is_dir: false };
  };
  // Files of the kernel say that they are empty and have no end.
  for (let readBytes = 0; readBytes < MAX_FILE_BYTES;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length);
    const bytes = buffer.subarray(0, bytesRead);
    if (bytes.includes(0)) return undefined;
    readBytes += bytesRead;
    const lines = (rest + decoder.decode(bytes, { stream: bytesRead > 0 })).split("\n");
    const isEnd = bytesRead === 0;
    const last = isEnd ? "" : lines.pop() ?? "";
    for (const text of lines) {
      if (text.toLowerCase().includes(query)) return matchOf(text.replace(/\r$/, ""));
      line++;
    }
    if (isEnd) return undefined;
    if (last.length > MAX_LINE_LENGTH && last.toLowerCase().includes(query)) {
      return matchOf(last);
    }
    // A match may lie across the border of two pieces.
    rest = last.length > MAX_LINE_LENGTH ? last.slice(-query.length) : last;
  }
  return undefined;
}
