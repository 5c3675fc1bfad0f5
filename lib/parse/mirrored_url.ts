/**
 * An address of GitHub with the mirror's before it, as in `https://mirror/https://github.com/…`.
 *
 * Others stay as they are, and so do those that lead by the mirror already; a mirror that stands
 * there twice stands there once.
 *
 * @param mirror Without a slash at its end; empty when there is none.
 */
export function mirroredUrl(url: string, mirror: string): string {
  if (mirror === "") return url;
  const prefix = `${mirror}/`;
  let rest = url;
  while (rest.startsWith(prefix) && /^https?:\/\//.test(rest.slice(prefix.length))) {
    rest = rest.slice(prefix.length);
  }
  return rest !== url || isOfGitHub(rest) ? prefix + rest : url;
}

function isOfGitHub(url: string): boolean {
  const host = URL.parse(url)?.hostname ?? "";
  return /(?:^|\.)(?:github\.com|githubusercontent\.com)$/.test(host);
}
