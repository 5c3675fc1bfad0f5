/** The text, or its start with an ellipsis: at most `maxLength` UTF-16 code units. */
export function truncate(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1).toWellFormed()}…`;
}

/** The start of an untrusted text for an error message: quoted and escaped as in JSON. */
export function quoteStart(text: string, maxLength = 40): string {
  return JSON.stringify(truncate(text, maxLength));
}

/** The number of a text's first character, as Unicode writes it behind `U+`: `FF1A`. */
export function codePoint(text: string): string {
  return (text.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
}
