import { firstLine } from "./lines.ts";

/**
 * Parses this machine's own IPv4 addresses out of `/proc/net/fib_trie`, each once.
 *
 * ```text
 *         |-- 192.0.2.2
 *            /32 host LOCAL
 * ```
 *
 * @throws {SyntaxError} When the text is no routing trie; the message quotes its first line.
 */
export function parseLocalIpv4(text: string): string[] {
  if (!/^\w+:\n/.test(text)) {
    throw new SyntaxError(`Cannot parse fib_trie: no table in "${firstLine(text)}"`);
  }
  const found = text.matchAll(/^ *\|-- ([0-9.]{7,15})\n(?: +\/\d+ .*\n)*? +\/32 host LOCAL$/gm);
  return [...new Set(Array.from(found, ([, address = ""]) => address))];
}
