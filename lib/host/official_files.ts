import { attempt } from "../attempt.ts";
import { getLogger } from "../log/log.ts";
import { dirname } from "../parse/path.ts";
import { thisProgram } from "./this_program.ts";

/** A file of an official agent. */
export interface OfficialFile {
  readonly path: string;
  readonly text: string;
}

/**
 * Reads the first of these files that exists, is not too large, and belongs to root or this user; a file
 * that the user has named may belong to anybody. `undefined` when there is none.
 */
function readOfficialFile(
  paths: readonly string[],
  { maxBytes, isNamed = false }: { maxBytes: number; isNamed?: boolean },
): OfficialFile | undefined {
  for (const path of paths) {
    const text = attempt(() => readFile(path, { maxBytes, isNamed }));
    if (text !== undefined) return { path, text };
  }
  return undefined;
}

/** Looks at what it has opened, since others may change what is at `path`. */
function readFile(
  path: string,
  { maxBytes, isNamed }: { maxBytes: number; isNamed: boolean },
): string | undefined {
  // Opening a pipe would wait, and in another user's folder a file can become one at any time.
  if (!Deno.statSync(path).isFile) return undefined;
  if (!isNamed && isForeign(Deno.statSync(dirname(path) || "."))) return passOver(path);
  using file = Deno.openSync(path);
  const info = file.statSync();
  if (info.size > maxBytes) return undefined;
  if (!isNamed && isForeign(info)) return passOver(path);
  const bytes = new Uint8Array(info.size);
  let length = 0;
  for (let count = 1; count > 0; length += count) {
    count = file.readSync(bytes.subarray(length)) ?? 0;
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}

function passOver(path: string): undefined {
  getLogger("agent").warning(
    "Did not import {path}: another user can write it or its folder; if it is right, change the owner or mode",
    { path },
  );
}

function isForeign({ uid, mode }: Deno.FileInfo): boolean {
  return (uid !== 0 && uid !== Deno.uid()) || ((mode ?? 0) & 0o002) !== 0;
}

const NAME = "auto-discovery.json";
/** The file holds two short texts. */
const MAX_BYTES = 16 * 1024;

/**
 * Reads the file in which an official agent stores its node: beside this program, where its installer
 * puts it, or in the working folder; `undefined` when there is none.
 *
 * @param options `path`: the only place to look at, if it is not empty.
 */
export function readOfficialNode(
  { path = "", folders = defaultFolders() }: {
    path?: string;
    folders?: readonly string[];
  } = {},
): OfficialFile | undefined {
  const paths = path === "" ? folders.map((folder) => `${folder}/${NAME}`) : [path];
  return readOfficialFile(paths, { maxBytes: MAX_BYTES, isNamed: path !== "" });
}

function defaultFolders(): string[] {
  const home = Deno.env.get("HOME") || undefined;
  return [
    dirname(thisProgram().path),
    "/opt/komari",
    "/usr/local/komari",
    ...(home ? [`${home}/.local/share/komari`, `${home}/.komari`] : []),
    Deno.cwd(),
  ];
}

const TRAFFIC_NAME = "net_static.json";
/** The folder of the official agent's installer. */
const OFFICIAL_FOLDER = "/opt/komari";
/** Far above a month of many interfaces. */
const MAX_TRAFFIC_BYTES = 64 * 1024 * 1024;

/**
 * Reads the official agent's record of the month's traffic: from `folder`, else where its installer
 * puts it, else from the working folder.
 */
export function readOfficialTraffic(folder: string): OfficialFile | undefined {
  const paths = [
    `${folder}/${TRAFFIC_NAME}`,
    `${OFFICIAL_FOLDER}/${TRAFFIC_NAME}`,
    TRAFFIC_NAME,
  ];
  return readOfficialFile(paths, { maxBytes: MAX_TRAFFIC_BYTES });
}
