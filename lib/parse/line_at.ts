/** Longest quotation in an error; kernel text that is bent may have no line ends at all. */
const MAX_LENGTH = 120;

/** The line that `offset` lies in, without its line feed, cut to what an error message can quote. */
export function lineAt(text: string, offset: number): string {
  const start = offset === 0 ? 0 : text.lastIndexOf("\n", offset - 1) + 1;
  const end = text.indexOf("\n", offset);
  return text.slice(start, Math.min(end === -1 ? text.length : end, start + MAX_LENGTH));
}
