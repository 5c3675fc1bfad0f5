import { quoteStart } from "./bounded_text.ts";

/**
 * Result of `ping -c 1`: `lost` is an echo without a reply, `unreachable` one that could not be sent,
 * `forbidden` a `ping` without the permission to open its socket or to run.
 */
export type PingOutcome =
  | { kind: "reply"; ms: number }
  | { kind: "lost" }
  | { kind: "unreachable" | "forbidden"; reason: string };

/**
 * Parses the output of `ping -n -c 1` in the C locale: iputils, busybox and inetutils.
 *
 * The text must include standard error, which explains why nothing was sent.
 *
 * @throws {SyntaxError} When the text is not ping's, is truncated, or ping rejected its options; the
 * message quotes the line.
 */
export function parsePingOutput(text: string): PingOutcome {
  let complaint: string | undefined;
  let summary = false;
  for (const line of text.split("\n").map((line) => line.trim())) {
    if (line.includes("bytes from")) return { kind: "reply", ms: roundTrip(line) };
    if (line.includes("packets transmitted")) {
      if (!/, 0 (packets )?received/.test(line)) throw parseError(line);
      summary = true;
    } else if (isForbidden(line)) {
      return { kind: "forbidden", reason: line.slice(0, REASON_LIMIT) };
    } else if (/^usage:|(invalid|unrecognized) option/i.test(line)) {
      throw parseError(line);
    } else if (/(^|\/)ping6?: |^connect: /.test(line)) {
      complaint ??= line.slice(0, REASON_LIMIT);
    }
  }
  // A summary means that the echo was sent, whatever was printed before.
  if (summary) return { kind: "lost" };
  if (complaint !== undefined) return { kind: "unreachable", reason: complaint };
  throw parseError(text.trim());
}

const REASON_LIMIT = 200;

/** A refused socket is a lack of permission; a refused packet is a firewall's decision. */
function isForbidden(line: string): boolean {
  return /not permitted|permission denied|lacking privilege|cap_net_raw/i.test(line) &&
    !/\b(sendto|sendmsg|connect)\b/.test(line);
}

function roundTrip(line: string): number {
  const digits = /\btime[=<](\d{1,9}(?:\.\d{1,9})?) ?ms\b/.exec(line)?.[1];
  if (digits === undefined) throw parseError(line);
  return Number(digits);
}

function parseError(line: string): SyntaxError {
  return new SyntaxError(
    `Cannot parse ping's output: no result in ${quoteStart(line, REASON_LIMIT)}`,
  );
}
