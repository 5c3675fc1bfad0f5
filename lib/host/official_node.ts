import { thisProgram } from "./this_program.ts";

const NAME = "auto-discovery.json";
/** Two short texts. */
const MAX_BYTES = 16 * 1024;

/** A file in which an official agent has noted as which node it reports. */
export interface OfficialNodeFile {
  readonly path: string;
  readonly text: string;
}

/**
 * The file that an official agent keeps beside its program: beside this one, where its installer
 * puts it, or in the working directory; `undefined` when there is none.
 */
export function readOfficialNode(folders: readonly string[] = usualFolders()):
  | OfficialNodeFile
  | undefined {
  for (const folder of folders) {
    const path = `${folder}/${NAME}`;
    try {
      const { isFile, size } = Deno.statSync(path);
      if (isFile && size <= MAX_BYTES) return { path, text: Deno.readTextFileSync(path) };
    } catch {
      // There is none, or it is not for us.
    }
  }
  return undefined;
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
