const HAN = "[\\u4e00-\\u9fff]";

/** What Chinese sentences do not have. */
const RULES: readonly (readonly [name: string, pattern: RegExp])[] = [
  ["a blank beside a full-width mark", /\S [、，。：；！？）”]|[、，。：；！？（“] \S/],
  ["a Latin colon, comma or semicolon", new RegExp(`${HAN} ?[:;,](?!//)|[:;,] ?${HAN}`)],
  ["Latin parentheses around Chinese", new RegExp(`${HAN} ?\\([^()]*\\)|\\([^()]*${HAN}[^()]*\\)`)],
  ["a blank between two Chinese characters", new RegExp(`${HAN} ${HAN}`)],
  ["another word for the seal", /密封|隔离|沙盒/],
];

/** The names of the rules that a text breaks. */
export function brokenRules(text: string): string[] {
  return RULES.filter(([, pattern]) => pattern.test(text)).map(([name]) => name);
}
