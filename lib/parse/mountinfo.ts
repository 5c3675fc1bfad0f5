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
 * @throws {SyntaxError} When a line is malformed; the message quotes it.
 */
export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    if (end > start) mounts.push(parseLine(text.slice(start, end)));
    start = end + 1;
  }
  return mounts;
}

function parseLine(line: string): Mount {
  // ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [TAG…] - TYPE SOURCE OPTIONS
  const separator = line.indexOf(" - ");
  const head = line.slice(0, separator).split(" ", 5);
  const tail = line.slice(separator + 3).split(" ", 2);
  const [, , device = "", root = "", mountPoint = ""] = head;
  const [type = "", source = ""] = tail;
  if (separator < 0 || !/^\d+:\d+$/.test(device) || type === "" || !mountPoint.startsWith("/")) {
    throw new SyntaxError(`Cannot parse mountinfo: "${line.slice(0, 200)}"`);
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
