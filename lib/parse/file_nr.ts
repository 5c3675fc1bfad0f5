import { firstLine } from "./lines.ts";

/**
 * Parses `/proc/sys/fs/file-nr`: file handles in use, and how many there may be.
 *
 * @throws {SyntaxError} When it is not three numbers; the message quotes the line.
 */
export function parseFileNr(text: string): { allocated: number; maximum: number } {
  const [, allocated, maximum] = /^(\d{1,20})\t\d{1,20}\t(\d{1,20})\n?$/.exec(text) ?? [];
  if (allocated === undefined || maximum === undefined) {
    throw new SyntaxError(`Cannot parse file-nr: no three numbers in "${firstLine(text)}"`);
  }
  return { allocated: Number(allocated), maximum: Number(maximum) };
}
