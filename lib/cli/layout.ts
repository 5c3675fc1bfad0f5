/**
 * Columns and line breaks of text on a terminal, where a Chinese character takes two columns.
 *
 * @module
 */

/** Breaks a text at blanks, and between Chinese words. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const piece of piecesOf(text)) {
    if (line !== "" && displayWidth((line + piece).trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = piece;
    } else {
      line += piece;
    }
  }
  return [...lines, line];
}

const CHINESE_END = /[\u3000-\u9fff\uff00-\uffef]$/;
/** Marks that no line begins with. */
const CLOSING = " 、。，：；！？）”";
/** Marks that no line ends with. */
const OPENING = "（“";

/** The parts of a text between which a line may end: not before a closing mark, nor in a word. */
function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (const { segment } of new Intl.Segmenter("zh", { granularity: "word" }).segment(text)) {
    const before = pieces.at(-1);
    const isWhole = before !== undefined && !OPENING.includes(before.slice(-1)) &&
      !CLOSING.includes(segment.charAt(0)) && (before.endsWith(" ") || CHINESE_END.test(before) ||
        /^[\u4e00-\u9fff]/.test(segment) || OPENING.includes(segment.charAt(0)));
    if (before !== undefined && !isWhole) {
      pieces[pieces.length - 1] = before + segment;
    } else pieces.push(segment);
  }
  return pieces;
}

/** A text with blanks up to so many columns. */
export function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

/** Columns of a text on a terminal, where a Chinese character takes two. */
export function displayWidth(text: string): number {
  return text.length + (text.match(/[\u2e80-\u9fff\uff00-\uff60]/g)?.length ?? 0);
}

/** A title, and rows whose columns are as wide as their widest cell. */
export function tableText(
  title: string,
  rows: readonly (readonly string[])[],
  widths: readonly number[] = columnWidths(rows),
): string {
  const lines = rows.map((row) =>
    "  " + row.map((cell, index) => padded(cell, widths[index] ?? 0)).join("  ").trimEnd()
  );
  return [title, ...lines].join("\n");
}

/** A cell that is longer leaves the others as narrow as they are. */
const LONG_WIDTH = 80;

/** The widths of the widest cells. */
export function columnWidths(rows: readonly (readonly string[])[]): number[] {
  const widthOf = (cell: string) => displayWidth(cell) > LONG_WIDTH ? 0 : displayWidth(cell);
  return rows.reduce<number[]>(
    (widest, row) => row.map((cell, index) => Math.max(widest[index] ?? 0, widthOf(cell))),
    [],
  );
}
