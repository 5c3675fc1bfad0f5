const HAN = "[\\u4e00-\\u9fff]";

/** What Chinese sentences do not have. */
const RULES: readonly (readonly [name: string, pattern: RegExp])[] = [
  ["a blank beside a full-width mark", /\S [、，。：；！？）”]|[、，。：；！？（“] \S/],
  ["a Latin colon, comma or semicolon", new RegExp(`${HAN} ?[:;,](?!//)|[:;,] ?${HAN}`)],
  ["Latin parentheses around Chinese", new RegExp(`${HAN} ?\\([^()]*\\)|\\([^()]*${HAN}[^()]*\\)`)],
  ["a blank between two Chinese characters", new RegExp(`${HAN} ${HAN}`)],
  ["another word for the seal", /密封|封闭|隔离|沙盒/],
];

/** Words of English sentences, which commands and names do not have. */
const ENGLISH =
  /(?<![\w-])(?:the|is|are|was|were|of|that|which|not|its|this|has|have|with)(?![\w=-])/;
/** What others say, in quotes or behind their first words. */
const BY_OTHERS =
  /"[^"]*"|'[^']*'|\u201c[^\u201d]*\u201d|(?:Neither|Service has|Failed|Unknown|error:|For a list) .*|\(are you root\?\)/g;

/** The words of English that stand in Chinese, but for what others say. */
export function leftEnglish(text: string): string | undefined {
  return ENGLISH.exec(text.replaceAll(BY_OTHERS, ""))?.[0];
}

/** The names of the rules that a text breaks. */
export function brokenRules(text: string): string[] {
  return RULES.filter(([, pattern]) => pattern.test(text)).map(([name]) => name);
}
