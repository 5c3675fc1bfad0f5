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
/** Shorter starts of a secret tell nothing. */
const MIN_START_LENGTH = 4;

/** Removes the query strings of URLs: a panel's URL carries the token there. */
export function redactQueries(text: string): string {
  return text.replace(/\?[^\s()"'<>]*=[^\s()"'<>]*/g, "?…");
}

/** Puts something in place of user and password in URLs. */
export function redactLogins(text: string, shown: string): string {
  return text.replace(/:\/\/[^/?#\s]*@/g, `://${shown}`);
}

/**
 * Removes secrets: plain, URL-encoded or as in JSON, with unseen characters inside, and the start of
 * one that was cut off by `truncate()`.
 */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  let hidden = text;
  for (const secret of secrets) {
    if (secret === "") continue;
    const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
    for (const form of new Set(forms)) hidden = redactForm(hidden, form);
  }
  return hidden;
}

function redactForm(text: string, form: string): string {
  const hidden = text.replaceAll(form, HIDDEN);
  // Few texts have any of these.
  if (!hidden.includes(HIDDEN) && !IS_UNSEEN.test(hidden)) return hidden;
  let result = "";
  let from = 0;
  const { seen, indexes } = withoutUnseen(hidden);
  const start = form.slice(0, MIN_START_LENGTH);
  for (let at = seen.indexOf(start); at !== -1; at = seen.indexOf(start, at)) {
    const length = commonLength(form, seen.slice(at, at + form.length));
    const isCut = length >= MIN_START_LENGTH && seen[at + length] === HIDDEN;
    if (length < form.length && !isCut) {
      at++;
      continue;
    }
    const end = isCut ? at + length + 1 : at + length;
    result += hidden.slice(from, indexes[at]) + HIDDEN;
    from = (indexes[end - 1] ?? 0) + 1;
    at = end;
  }
  return result + hidden.slice(from);
}

/** The characters of a text that are seen, and where each of them is in the text. */
function withoutUnseen(text: string): { seen: string; indexes: readonly number[] } {
  let seen = "";
  const indexes: number[] = [];
  let index = 0;
  for (const character of text) {
    if (!IS_UNSEEN.test(character)) {
      seen += character;
      for (let unit = 0; unit < character.length; unit++) indexes.push(index + unit);
    }
    index += character.length;
  }
  return { seen, indexes };
}

/** How many characters two texts have in common at their start. */
function commonLength(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return length;
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
