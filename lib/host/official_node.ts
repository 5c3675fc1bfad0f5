import { type OfficialFile, readOfficialFile } from "./official_file.ts";
import { thisProgram } from "./this_program.ts";

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
