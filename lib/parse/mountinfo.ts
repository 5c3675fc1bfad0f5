import { type OnMalformed, throwMalformed } from "./bounded_text.ts";

/** A mounted file system, or a part of one (bind mount, subvolume). */
export interface Mount {
  /** `major:minor`; the same for all mounts of one file system. */
  device: string;
  /** Path within the file system that is mounted; `/` for all of it. */
  root: string;
  mountPoint: string;
  /** `ext4`, `fuse.sshfs`, … */
  type: string;
  /** Device file, server path, ZFS data set, …; may be empty. */
  source: string;
}

/**
 * Parses `/proc/self/mountinfo`, in the kernel's order.
 *
 * A malformed line goes to `onMalformed`, whose error quotes it, and is skipped if that returns.
 *
 * @throws {SyntaxError} For a malformed line, without `onMalformed`.
 */
export function parseMountinfo(
  text: string,
  onMalformed: OnMalformed = throwMalformed,
): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const mount = parseLine(line);
    if (mount instanceof SyntaxError) onMalformed(mount);
    else mounts.push(mount);
  }
  return mounts;
}

function parseLine(line: string): Mount | SyntaxError {
  // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [TAG…] - TYPE SOURCE OPTIONS
  const separator = line.indexOf(" - ");
  const head = line.slice(0, separator).split(" ", 5);
  const tail = line.slice(separator + 3).split(" ", 2);
  const [id, parentId, device = "", root = "", mountPoint = ""] = head;
  const [type = "", source = ""] = tail;
  const hasNumbers = /^\d{1,10} \d{1,10} \d+:\d+$/.test(`${id} ${parentId} ${device}`);
  if (separator < 0 || !hasNumbers || type === "" || !mountPoint.startsWith("/")) {
    return new SyntaxError(`Cannot parse mountinfo: "${line.slice(0, 200)}"`);
  }
  return {
    device,
    root: unescapeOctal(root),
    mountPoint: unescapeOctal(mountPoint),
    type: unescapeOctal(type),
    source: unescapeOctal(source),
  };
}

/** The kernel escapes blanks, line feeds, backslashes and `#` as three octal digits. */
function unescapeOctal(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(
    /\\([01][0-7]{2})/g,
    (_, digits: string) => String.fromCharCode(parseInt(digits, 8)),
  );
}
