import { type OnMalformed, parseLines, throwMalformed } from "./lines.ts";

/** A line of `/proc/mounts`, in the form in which Prometheus' dashboards know it. */
export interface MountLine {
  /** As the kernel escapes it. */
  readonly device: string;
  readonly mountPoint: string;
  readonly type: string;
  readonly isReadOnly: boolean;
}

/**
 * Parses `/proc/mounts`, in the kernel's order. Only blanks and tabs of mount points are unescaped, as
 * node_exporter does it; a malformed line goes to `onMalformed`.
 *
 * @throws {SyntaxError} For a malformed line, without `onMalformed`.
 */
export function parseMounts(text: string, onMalformed: OnMalformed = throwMalformed): MountLine[] {
  return parseLines(text, { source: "mounts", parse: parseLine, onMalformed });
}

function parseLine(line: string): MountLine | undefined {
  const [device = "", mountPoint = "", type, options] = line.split(" ");
  if (type === undefined || options === undefined || !mountPoint.startsWith("/")) return undefined;
  return {
    device,
    mountPoint: mountPoint.replaceAll("\\040", " ").replaceAll("\\011", "\t"),
    type,
    isReadOnly: options.split(",").includes("ro"),
  };
}
