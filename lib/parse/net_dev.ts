/** Byte counters of one interface since it was created. */
export interface InterfaceCounters {
  name: string;
  receivedBytes: number;
  sentBytes: number;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * Parses `/proc/net/dev`.
 *
 * Interfaces for which `isWanted` is false are left out without parsing their counters, because
 * container hosts have hundreds of them.
 *
 * @throws {SyntaxError} When a line has no name or lacks counters; the message quotes it.
 */
export function parseNetDev(
  text: string,
  isWanted: (name: string) => boolean = () => true,
): InterfaceCounters[] {
  const found: InterfaceCounters[] = [];
  let start = 0;
  while (start < text.length) {
    let end = text.indexOf("\n", start);
    if (end < 0) end = text.length;
    const colon = text.indexOf(":", start);
    if (colon >= 0 && colon < end) {
      const name = text.slice(skipBlanks(text, start), colon);
      if (name === "") throw parseError(text, start, end);
      if (isWanted(name)) found.push(parseCounters(name, text, { start, colon, end }));
    } else if (!isHeading(text, start, end)) {
      throw parseError(text, start, end);
    }
    start = end + 1;
  }
  return found;
}

function parseCounters(
  name: string,
  text: string,
  line: { start: number; colon: number; end: number },
): InterfaceCounters {
  let at = skipBlanks(text, line.colon + 1);
  const receivedBytes = numberAt(text, at);
  // Received: bytes, packets, errs, drop, fifo, frame, compressed, multicast; then sent bytes.
  for (let column = 0; column < 8; column++) at = skipBlanks(text, skipWord(text, at));
  const sentBytes = numberAt(text, at);
  if (receivedBytes === undefined || sentBytes === undefined) {
    throw parseError(text, line.start, line.end);
  }
  return { name, receivedBytes, sentBytes };
}

/** The number of digits from `at` to a blank or the end of the line; `undefined` for anything else. */
function numberAt(text: string, at: number): number | undefined {
  const end = skipWord(text, at);
  let value = 0;
  for (let index = at; index < end; index++) {
    const code = text.charCodeAt(index);
    if (code < ZERO || code > NINE) return undefined;
    value = value * 10 + (code - ZERO);
  }
  // The kernel counts in 64 bits: 20 digits at most.
  return end === at || end - at > 20 ? undefined : value;
}

function skipBlanks(text: string, at: number): number {
  while (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB) at++;
  return at;
}

function skipWord(text: string, at: number): number {
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === SPACE || code === TAB || code === NEWLINE) break;
    at++;
  }
  return at;
}

/** The two heading lines contain bars; every other line has a colon. */
function isHeading(text: string, start: number, end: number): boolean {
  const bar = text.indexOf("|", start);
  return (bar >= 0 && bar < end) || skipBlanks(text, start) >= end;
}

function parseError(text: string, start: number, end: number): SyntaxError {
  return new SyntaxError(
    `Cannot parse net/dev: "${text.slice(start, Math.min(end, start + 200))}"`,
  );
}
