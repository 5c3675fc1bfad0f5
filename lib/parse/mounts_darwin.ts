import { firstLine } from "./bounded_text.ts";

/** A mounted file system of macOS. */
export interface DarwinMount {
  /** `/dev/disk3s5`, `//user@server/share`, `map auto_home`. */
  source: string;
  mountPoint: string;
  type: string;
  /** Whether the file system is on this machine's own disks. */
  local: boolean;
  readOnly: boolean;
}

/** `SOURCE on /MOUNT POINT (TYPE, OPTION, …)`; both paths may contain blanks and parentheses. */
const PATTERN = /^(.*?) on (\/.*) \(([^()]+)\)$/;

/**
 * Parses the output of macOS's `mount`, a line per mount.
 *
 * @throws {SyntaxError} When a line is malformed; the message quotes it.
 */
export function parseDarwinMounts(text: string): DarwinMount[] {
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const [, source, mountPoint, options = ""] = PATTERN.exec(line) ?? [];
    const [type, ...flags] = options.split(", ");
    if (source === undefined || mountPoint === undefined || !type) {
      throw new SyntaxError(`Cannot parse mount: "${firstLine(line)}"`);
    }
    return {
      source,
      mountPoint,
      type,
      local: flags.includes("local"),
      readOnly: flags.includes("read-only"),
    };
  });
}
