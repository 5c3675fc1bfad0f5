import { attempt } from "../attempt.ts";
import { dirname } from "../parse/path.ts";
import { thisProgram } from "./this_program.ts";

/** A file of an official agent. */
export interface OfficialFile {
  readonly path: string;
  readonly text: string;
}

/** Reads the first of these files that exists and is not too large; `undefined` when none does. */
function readOfficialFile(
  paths: readonly string[],
  { maxBytes }: { maxBytes: number },
): OfficialFile | undefined {
  for (const path of paths) {
    const { isFile = false, size = 0 } = attempt(() => Deno.statSync(path)) ?? {};
    const text = isFile && size <= maxBytes
      ? attempt(() => Deno.readTextFileSync(path))
      : undefined;
    if (text !== undefined) return { path, text };
  }
  return undefined;
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
  return readOfficialFile(paths, { maxBytes: MAX_BYTES });
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
