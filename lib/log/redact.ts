/**
 * Makes texts fit to be read by people: without secrets, and without characters that act on a
 * terminal. Everything that is logged, printed or kept in the health file goes through it, before it
 * is cut.
 *
 * @module
 */

/** In place of a secret, and of what was cut off. */
const HIDDEN = "…";
/** Characters that are not seen, or act on a terminal: a secret with some inside is still one. */
const IS_UNSEEN = /[\p{Cc}\p{Cf}\p{DI}\u2028\u2029]/u;
const UNSEEN = /[\p{Cc}\p{Cf}\p{DI}\u2028\u2029]+/gu;
/** One of them, with what makes it one of the colors that the program itself uses. */
const COLOR_OR_UNSEEN = /\p{Cc}\[(?:0|31|32|33|90)m|[\p{Cc}\p{Cf}\p{DI}\u2028\u2029]/gu;

/** Removes the query strings of URLs: a panel's URL carries the token there. */
export function redactQueries(text: string): string {
  return text.replace(/\?[^\s()"'<>?]*=[^\s()"'<>]*/g, "?…");
}

/** Puts something in place of user and password in URLs. */
export function redactLogins(text: string, shown: string): string {
  return text.replace(/:\/\/[^/?#\s]*@/g, `://${shown}`);
}

/** A text that may be a URL, or was meant to be one, without a login, a query and a fragment. */
export function redactUrl(text: string): string {
  return text.replace(/([?#]).*$/s, `$1${HIDDEN}`).replace(/^(\w+:\/\/)?.*@/s, `$1${HIDDEN}@`);
}

/** How URLs, pages of HTML and JSON write characters. */
const ESCAPE =
  /(?:%[0-9a-f]{2})+|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|amp|lt|gt|quot|apos);|\\(?:u[0-9a-f]{4}|["\\/])/gi;
const HTML_ENTITIES: ReadonlyMap<string, string> = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["apos", "'"],
]);
/** How often a text is decoded: what was written twice is rare, four times an attack. */
const MAX_DECODINGS = 4;
/** Shorter starts of a secret tell nothing, and what is shorter as a whole is one only as a word. */
const MIN_START_LENGTH = 4;
/** So many characters of a secret, from anywhere in it, are hidden: the rest could be guessed. */
const MIN_RUN_LENGTH = 8;
/** The end of a text that was cut off, where it may have been cut within an escape. */
const CUT_OFF = /(?:%[0-9a-f]?|&#?\w{0,7}|\\\w{0,4})?\u2026/iy;
const MAX_ESCAPE_LENGTH = 9;

/**
 * Removes secrets: plain, encoded for a URL, HTML or JSON, also more than once, in any case, with
 * unseen characters inside, the start of one that was cut off by `truncate()`, and runs of eight and more
 * of its characters.
 */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  const wanted = secrets.map((secret) => ReadableText.of(secret).text).filter((it) => it !== "");
  if (wanted.length === 0) return text;
  const found: Range[] = [];
  let readable = ReadableText.of(text);
  for (let count = 0;; count++) {
    for (const secret of wanted) found.push(...readable.find(secret), ...readable.runsOf(secret));
    const decoded = count === MAX_DECODINGS ? readable : readable.decoded();
    if (decoded === readable) return hide(text, found);
    readable = decoded;
  }
}

/** A part of the text that is redacted: from the first of its indexes, up to the second one. */
type Range = readonly [from: number, to: number];

function hide(text: string, found: readonly Range[]): string {
  let hidden = "";
  let end = 0;
  for (const [from, to] of found.toSorted(([a], [b]) => a - b)) {
    if (from >= end) hidden += text.slice(end, from) + HIDDEN;
    end = Math.max(end, to);
  }
  return hidden + text.slice(end);
}

/** A text as it is compared: small letters without unseen characters, and where each comes from. */
class ReadableText {
  text = "";
  readonly #ranges: Range[] = [];

  static of(text: string): ReadableText {
    const readable = new ReadableText();
    let index = 0;
    for (const character of text) {
      readable.#add(character, [index, index + character.length]);
      index += character.length;
    }
    return readable;
  }

  /** The text with its escapes decoded, once; itself when it has none. */
  decoded(): ReadableText {
    const decoded = new ReadableText();
    let end = 0;
    for (const { 0: escape, index } of this.text.matchAll(ESCAPE)) {
      decoded.#copy(this, end, index);
      end = index + escape.length;
      const range: Range = [this.#ranges[index]?.[0] ?? 0, this.#ranges[end - 1]?.[1] ?? 0];
      for (const character of decodeEscape(escape)) decoded.#add(character, range);
    }
    if (end === 0) return this;
    decoded.#copy(this, end, this.text.length);
    return decoded;
  }

  /** Where a secret is in the original text. */
  *find(secret: string): Generator<Range, void> {
    const start = secret.slice(0, MIN_START_LENGTH);
    const isShort = secret.length < MIN_START_LENGTH;
    for (let at = this.text.indexOf(start); at !== -1; at = this.text.indexOf(start, at + 1)) {
      let end = at + start.length;
      while (end - at < secret.length && this.text[end] === secret[end - at]) end++;
      if (end - at < secret.length) {
        const cut = this.#cutEnd(at + start.length, end);
        if (cut === undefined) continue;
        end = cut;
      }
      if (isShort && /\w/.test(this.text.charAt(at - 1) + this.text.charAt(end))) continue;
      yield [this.#ranges[at]?.[0] ?? 0, this.#ranges[end - 1]?.[1] ?? 0];
    }
  }

  /** Where runs of a secret's characters are in the original text. */
  *runsOf(secret: string): Generator<Range, void> {
    if (secret.length < MIN_RUN_LENGTH) return;
    for (let at = 0; at + MIN_RUN_LENGTH <= this.text.length; at++) {
      let end = at + MIN_RUN_LENGTH;
      if (!secret.includes(this.text.slice(at, end))) continue;
      while (end < this.text.length && secret.includes(this.text.slice(at, end + 1))) end++;
      yield [this.#ranges[at]?.[0] ?? 0, this.#ranges[end - 1]?.[1] ?? 0];
      at = end - 1;
    }
  }

  /** Behind the ellipsis of a text that is cut off at `end`, or within an escape that begins before. */
  #cutEnd(start: number, end: number): number | undefined {
    for (let at = end; at >= Math.max(start, end - MAX_ESCAPE_LENGTH); at--) {
      CUT_OFF.lastIndex = at;
      if (CUT_OFF.test(this.text)) return CUT_OFF.lastIndex;
    }
    return undefined;
  }

  #add(character: string, range: Range): void {
    if (IS_UNSEEN.test(character)) return;
    const small = character.toLowerCase();
    this.text += small;
    for (let unit = 0; unit < small.length; unit++) this.#ranges.push(range);
  }

  #copy(other: ReadableText, from: number, to: number): void {
    this.text += other.text.slice(from, to);
    for (let at = from; at < to; at++) this.#ranges.push(other.#ranges[at] ?? [0, 0]);
  }
}

function decodeEscape(escape: string): string {
  if (escape.startsWith("%")) {
    return new TextDecoder().decode(Uint8Array.fromHex(escape.replaceAll("%", "")));
  }
  if (escape.startsWith("\\u")) return String.fromCharCode(parseInt(escape.slice(2), 16));
  if (escape.startsWith("\\")) return escape.slice(1);
  const name = escape.slice(1, -1);
  if (!name.startsWith("#")) return HTML_ENTITIES.get(name) ?? "";
  const code = Number(name.startsWith("#x") ? `0${name.slice(1)}` : name.slice(1));
  return code <= 0x10ffff ? String.fromCodePoint(code) : "";
}

/** The text in one line that acts on no terminal. */
export function oneLine(text: string): string {
  return text.replace(UNSEEN, " ");
}

/** The text in its lines, with the program's own colors and no other action on a terminal. */
export function printable(text: string): string {
  return text.replace(COLOR_OR_UNSEEN, (found) => {
    const isKept = found === "\n" || found === "\t" || found.startsWith("\x1b[");
    return isKept ? found : found.replace(UNSEEN, "");
  });
}
