/**
 * Parent folder of an absolute path, without its trailing slash: empty for `/name` and for a bare name,
 * where `@std/path` gives `/` and `.`, which nothing can be appended to.
 */
export function dirname(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Last component of a path. */
export function basename(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * Paths are bytes, and need be no UTF-8: in a line that is none, each byte above 127 becomes a lone
 * surrogate from U+DC80 on, which no text has, and from which the path is made again.
 */
const ESCAPE = 0xdc00;
const LINE_FEED = 10;

/** Decodes lines of paths; {@linkcode encodePath} gives the same bytes. */
export function decodePaths(bytes: Uint8Array): string {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  if (!text.includes("\ufffd")) return text;
  // Line by line, since the whole may have megabytes, and a character for each byte takes 40 times as many.
  const lines: string[] = [];
  for (let start = 0; start <= bytes.length;) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed === -1 ? bytes.length : feed;
    lines.push(decodeLine(bytes.subarray(start, end)));
    start = end + 1;
  }
  return lines.join("\n");
}

function decodeLine(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const escaped = (byte: number) => String.fromCharCode(byte < 0x80 ? byte : ESCAPE + byte);
    return Array.from(bytes, escaped).join("");
  }
}

/** The bytes of a path, of which any part may come from {@linkcode decodePaths}. */
export function encodePath(path: string): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  if (path.isWellFormed()) return encoder.encode(path);
  // Characters, of which those alone are escapes that are no halves of others.
  const bytes = Array.from(path, (character) => {
    return character.isWellFormed()
      ? [...encoder.encode(character)]
      : character.charCodeAt(0) & 0xff;
  });
  return Uint8Array.from(bytes.flat());
}
