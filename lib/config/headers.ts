/**
 * Headers of the user's own.
 *
 * @module
 */

/** A header: its name and its value. */
export type Header = readonly [name: string, value: string];

/** What the agent sets itself, since a request would not be one without it. */
const OWN = /^(host|content-length|connection|upgrade|transfer-encoding|sec-websocket-.*)$/i;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Headers, one `Name: value` per line.
 *
 * @throws {RangeError} When a line is none, or one of those that the agent sets itself. A value is
 * never part of the message.
 */
export function parseHeaders(text: string): readonly Header[] {
  return text.split("\n").flatMap((line) => line.trim() === "" ? [] : [parseHeader(line)]);
}

function parseHeader(line: string): Header {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0)).trim();
  if (!TOKEN.test(name)) {
    throw new RangeError("Name: value, with a name of letters, digits and dashes");
  }
  if (OWN.test(name)) {
    throw new RangeError(`any header but ${name}, which the agent sets itself`);
  }
  return [name, parseHeaderValue(line.slice(colon + 1))];
}

/**
 * A header's value without the blanks around it.
 *
 * @throws {RangeError} When a header can't carry it.
 */
export function parseHeaderValue(value: string): string {
  const trimmed = value.trim();
  if (!/^[\x20-\x7e]*$/.test(trimmed)) {
    throw new RangeError("a value of plain ASCII letters, digits and signs");
  }
  return trimmed;
}

/** Adds headers to those of the user's own, which win over others of their name. */
export function withHeaders(own: readonly Header[], more: readonly Header[]): readonly Header[] {
  const names = new Set(own.map(([name]) => name.toLowerCase()));
  return [
    ...own,
    ...more.filter(([name, value]) => value !== "" && !names.has(name.toLowerCase())),
  ];
}
