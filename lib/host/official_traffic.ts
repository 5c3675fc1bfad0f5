const NAME = "net_static.json";
/** Where the official agent's installer puts it. */
const OFFICIAL_FOLDER = "/opt/komari";
/** A month of many interfaces is far below that. */
const MAX_BYTES = 64 * 1024 * 1024;

/** A file that the official agent has left. */
export interface OfficialTraffic {
  readonly path: string;
  readonly text: string;
}

/**
 * What the official agent has noted of the month's traffic: the file in `folder`, else where its
 * installer puts it, else in the working directory.
 */
export function readOfficialTraffic(folder: string): OfficialTraffic | undefined {
  for (const path of [`${folder}/${NAME}`, `${OFFICIAL_FOLDER}/${NAME}`, NAME]) {
    try {
      const { isFile, size } = Deno.statSync(path);
      if (isFile && size <= MAX_BYTES) return { path, text: Deno.readTextFileSync(path) };
    } catch {
      // There is none, or it is not for us.
    }
  }
  return undefined;
}
