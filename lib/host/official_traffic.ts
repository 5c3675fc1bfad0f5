import { type OfficialFile, readOfficialFile } from "./official_file.ts";

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
