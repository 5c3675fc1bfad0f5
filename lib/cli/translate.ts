/**
 * Chinese for what the program prints, by templates of its English: code writes English, and where
 * it is printed, `chinese.json` gives the Chinese of each line.
 *
 * `{name}` in a template stands for any text, which is translated too, and `{#name}` for a number
 * with its unit. `{name、}` in the Chinese makes an enumeration of a text with commas.
 *
 * @module
 */

import texts from "./chinese.json" with { type: "json" };
import type { Language } from "../config/language.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { displayWidth, padded } from "./help.ts";

const CHINESE: ReadonlyMap<string, string> = await readTexts(texts);

/**
 * A build has the texts as one string, compressed (`build/bundle.ts`): its script is in the memory of
 * every agent, whatever its language.
 */
async function readTexts(texts: unknown): Promise<Map<string, string>> {
  let fields = jsonFields(texts);
  if (typeof texts === "string") {
    const bytes = new Blob([Uint8Array.fromBase64(texts)]).stream();
    const json = new Response(bytes.pipeThrough(new DecompressionStream("gzip")));
    fields = jsonFields(parseJson(await json.text()));
  }
  return new Map(
    Object.entries(fields).flatMap(([english, chinese]) =>
      typeof chinese === "string" ? [[english, chinese]] : []
    ),
  );
}

/** A number with the unit that the program prints behind it, if any. */
const NUMBER = "-?[\\d.,]+(?: (?:[KMGTPE]i)?B| (?:ms|s|min|h|d))?";

/** The same units in Chinese; those of bytes are the same. */
const UNITS: Readonly<Record<string, string>> = {
  ms: "毫秒",
  s: "秒",
  min: "分钟",
  h: "小时",
  d: "天",
};
const DURATION = new RegExp(`^(-?[\\d.,]+) (${Object.keys(UNITS).join("|")})$`);

/** A template with values, and the names of these. */
interface Template {
  readonly pattern: RegExp;
  readonly chinese: string;
}

/** Those with the most letters of their own first: they say the most. */
const TEMPLATES: readonly Template[] = [...CHINESE].filter(([english]) => english.includes("{"))
  .sort(([one], [other]) => ownLetters(other) - ownLetters(one))
  .map(([english, chinese]) => ({ pattern: patternOf(english), chinese }));

/** Between parts of a line that have an entry each, such as an error and its cause. */
const SEPARATORS = new RegExp(": |; |, |[：；，（）]", "g");
const CHINESE_SEPARATORS: Readonly<Record<string, string>> = {
  ": ": "：",
  "; ": "；",
  ", ": "，",
};

/** The text in a language, line by line; what has no entry stays English. */
export function translate(text: string, language: Language): string {
  if (language === "en") return text;
  return text.split("\n").map(translateLine).join("\n");
}

/** Each cell of a line on its own, so that the columns of a table stay where they are. */
function translateLine(line: string): string {
  return line.replace(/(\S.*?)( {2,}|$)/g, (_, cell: string, gap: string) => {
    const chinese = translateText(cell);
    if (gap === "") return chinese;
    return padded(chinese, Math.max(displayWidth(cell + gap), displayWidth(chinese) + 2));
  });
}

function translateText(text: string): string {
  const [, count, unit = ""] = DURATION.exec(text) ?? [];
  if (count !== undefined) return `${count} ${UNITS[unit]}`;
  return /[a-z]/i.test(text) ? whole(text) ?? parts(text) ?? text : text;
}

/** By an entry for all of the text. */
function whole(text: string): string | undefined {
  const chinese = CHINESE.get(text);
  if (chinese !== undefined) return chinese;
  for (const { pattern, chinese } of TEMPLATES) {
    const values = pattern.exec(text)?.groups;
    if (values === undefined) continue;
    return chinese.replace(/( ?)\{(\w+)(\u3001?)\}( ?)/g, (_, before, name, comma, after) => {
      const text = values[name] ?? "";
      const items = comma === "" ? [text] : text.split(", ");
      const value = items.map(translatePart).join(comma);
      // Blanks are for Latin letters beside Chinese ones.
      return (/^[^!-~]/.test(value) ? "" : before) + value + (/[^!-~]$/.test(value) ? "" : after);
    });
  }
  return undefined;
}

function translatePart(text: string): string {
  return isPhrase(text) ? translateText(text) : text;
}

/** A single word in small letters within a text is most likely a name that somebody gave. */
function isPhrase(text: string): boolean {
  return /^[A-Z]| /.test(text);
}

/** By entries for what is before or after a separator. */
function parts(text: string): string | undefined {
  const found = Array.from(text.matchAll(SEPARATORS), ({ 0: mark, index }) => ({
    head: text.slice(0, index),
    mark,
    tail: text.slice(index + mark.length),
  }));
  const known = found.find(({ head }) =>
    head === "" || (isPhrase(head) && whole(head) !== undefined)
  );
  const { head, mark, tail } = known ?? found[0] ?? { head: text, mark: "", tail: "" };
  const rest = translatePart(tail);
  if (known === undefined && rest === tail) return undefined;
  // Names in a list keep their commas.
  const isList = known === undefined && mark === ", ";
  return translatePart(head) + (isList ? mark : CHINESE_SEPARATORS[mark] ?? mark) + rest;
}

function ownLetters(english: string): number {
  return english.replace(/\{.*?\}/g, "").length;
}

function patternOf(english: string): RegExp {
  const names = new Set<string>();
  const source = english.replace(/[.*+?^$()[\]\\|]/g, "\\$&")
    .replace(/\{(#?)(\w+)\}/g, (_, isNumber: string, name: string) => {
      if (names.has(name)) return `\\k<${name}>`;
      names.add(name);
      return isNumber ? `(?<${name}>${NUMBER})` : `(?<${name}>.*?)`;
    });
  return new RegExp(`^${source}$`);
}
