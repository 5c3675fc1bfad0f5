import { thisProgram } from "./this_program.ts";

/** A file that an official agent has left. */
export interface OfficialFile {
  readonly path: string;
  readonly text: string;
}

/** The first of these files that is there and not too large; `undefined` when none is. */
export function readOfficialFile(
  paths: readonly string[],
  { maxBytes }: { maxBytes: number },
): OfficialFile | undefined {
  for (const path of paths) {
    try {
      const { isFile, size } = Deno.statSync(path);
      if (isFile && size <= maxBytes) return { path, text: Deno.readTextFileSync(path) };
    } catch {
      // There is none, or it is not for us.
    }
  }
  return undefined;
}

const NAME = "auto-discovery.json";
/** Two short texts. */
const MAX_BYTES = 16 * 1024;

/**
 * The file that an official agent keeps beside its program: beside this one, where its installer
 * puts it, or in the working directory; `undefined` when there is none.
 */
export function readOfficialNode(folders: readonly string[] = usualFolders()):
  | OfficialFile
  | undefined {
  return readOfficialFile(folders.map((folder) => `${folder}/${NAME}`), { maxBytes: MAX_BYTES });
}

function usualFolders(): string[] {
  const home = Deno.env.get("HOME");
  return [
    thisProgram().path.replace(/\/[^/]*$/, ""),
    "/opt/komari",
    "/usr/local/komari",
    ...(home === undefined || home === "" ? [] : [`${home}/.local/share/komari`]),
    Deno.cwd(),
  ];
}

const NAME_OFFICIAL_TRAFFIC = "net_static.json";
/** Where the official agent's installer puts it. */
const OFFICIAL_FOLDER = "/opt/komari";
/** A month of many interfaces is far below that. */
const MAX_BYTES_OFFICIAL_TRAFFIC = 64 * 1024 * 1024;

/**
 * What the official agent has noted of the month's traffic: the file in `folder`, else where its
 * installer puts it, else in the working directory.
 */
export function readOfficialTraffic(folder: string): OfficialFile | undefined {
  const paths = [
    `${folder}/${NAME_OFFICIAL_TRAFFIC}`,
    `${OFFICIAL_FOLDER}/${NAME_OFFICIAL_TRAFFIC}`,
    NAME_OFFICIAL_TRAFFIC,
  ];
  return readOfficialFile(paths, { maxBytes: MAX_BYTES_OFFICIAL_TRAFFIC });
}
