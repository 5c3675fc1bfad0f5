import { decimalAt } from "../parse/scan.ts";

const ID_KEY = '"id":';
const MAX_ID_DIGITS = 15;

/**
 * Recognizes answers that differ from an earlier one in their id alone, as those to reports do, without
 * parsing them.
 */
export class RepeatedAnswer {
  #before = "";
  #behind = "";

  /** The id of an answer that says what the remembered one says; `undefined` for any other text. */
  idOf(text: string): number | undefined {
    const idLength = text.length - this.#before.length - this.#behind.length;
    if (this.#before === "" || idLength < 1 || idLength > MAX_ID_DIGITS) return undefined;
    if (!text.startsWith(this.#before) || !text.endsWith(this.#behind)) return undefined;
    const id = decimalAt(text, this.#before.length);
    // Anything else, such as 1e3 or 01, is longer or shorter when it is written again.
    return id !== undefined && String(id).length === idLength ? id : undefined;
  }

  /** Remembers an answer of that id. */
  remember(text: string, id: number): void {
    const key = text.indexOf(ID_KEY);
    const start = key + ID_KEY.length;
    const end = start + String(id).length;
    // A second id could be the one that counts.
    const isClear = key !== -1 && text.lastIndexOf(ID_KEY) === key &&
      decimalAt(text, start) === id && /^[,}]/.test(text.slice(end));
    this.#before = isClear ? text.slice(0, start) : "";
    this.#behind = isClear ? text.slice(end) : "";
  }
}
