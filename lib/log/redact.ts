/**
 * Removes secrets from text before it reaches the log.
 *
 * @module
 */

/** Removes the query strings of URLs: a panel's URL carries the token there. */
export function redactQueries(text: string): string {
  return text.replace(/\?[^\s()"'<>]*=[^\s()"'<>]*/g, "?…");
}

/** Removes secrets, plain and URL-encoded. */
export function redactSecrets(text: string, secrets: readonly string[]): string {
  let hidden = text;
  for (const secret of secrets) {
    if (secret === "") continue;
    hidden = hidden.replaceAll(secret, "…").replaceAll(encodeURIComponent(secret), "…");
  }
  return hidden;
}
