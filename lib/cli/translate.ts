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
import type { Language } from "../config/environment.ts";
import { unpack } from "../io/packed_text.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { displayWidth, padded } from "./layout.ts";

const CHINESE: ReadonlyMap<string, string> = await readTexts(texts);

/**
 * A build has the texts as one string, compressed (`build/bundle.ts`): its script is in the memory of
 * every agent, whatever its language.
 */
async function readTexts(texts: unknown): Promise<Map<string, string>> {
  let fields = jsonFields(texts);
  if (typeof texts === "string") {
    fields = jsonFields(parseJson(await unpack(texts)));
  }
  return new Map(
    Object.entries(fields).flatMap(([english, chinese]) =>
      typeof chinese === "string" ? inSentences(english, chinese) : []
    ),
  );
}

/**
 * An entry, and those that it has in sentences: what stands behind any text, since something may follow
 * it, and an error with its cause.
 */
function inSentences(english: string, chinese: string): [english: string, chinese: string][] {
  const entries: [string, string][] = [[english, chinese]];
  const [head] = /^\{text\}[:;] (?=.*[a-z])/.exec(english) ?? [];
  const [chineseHead] = /^\{text\}[\uFF1A\uFF1B]/.exec(chinese) ?? [];
  if (head !== undefined && chineseHead !== undefined) {
    entries.push([english.slice(head.length), chinese.slice(chineseHead.length)]);
  }
  if (/^[Cc]annot [^:]*\}$/.test(english)) {
    entries.push([`${english}: {cause}`, `${chinese}：{cause}`]);
  }
  return entries;
}

/** A number with the unit that the program prints behind it, if any. */
const NUMBER = "-?\\d+(?:[.,]\\d+)*(?: (?:[KMGTPE]i)?B| (?:ms|s|min|h|d))?";

/** The same units in Chinese; those of bytes are the same. */
const UNITS: Readonly<Record<string, string>> = {
  ms: "毫秒",
  s: "秒",
  min: "分钟",
  h: "小时",
  d: "天",
};
const DURATION = new RegExp(`^(-?[\\d.,]+) (${Object.keys(UNITS).join("|")})$`);

/** Values that are no sentences. */
const THINGS = "address,code,count,file,folder,host,name,path,server,setting".split(",");
/** What a value matches: the name of a setting, a text in brackets or quotes, and a part of a sentence. */
const SETTING = "[^\\s(]*?";
const CLOSED = "(?:[^()]|\\([^()]*\\))*?";
const QUOTED = '[^"]*?';
const PART = "(?:(?!; |: ).)*?";
const SENTENCE = "(?:(?!; ).)*?";

/** An entry with values: what it matches, and its Chinese with `{name}` where a value belongs. */
interface Template {
  readonly pattern: RegExp;
  readonly chinese: string;
}

/** Those with the most letters of their own first: they say the most. */
const TEMPLATES: readonly Template[] = [...CHINESE].filter(([english]) => english.includes("{"))
  .sort(([one], [other]) => ownLetters(other) - ownLetters(one))
  .map(([english, chinese]) => ({ pattern: patternOf(english), chinese }));

/** What stands before any text, such as `Note: {notice}`; an entry that begins with a value leaves it alone. */
const HEAD = new RegExp(
  `^(?:${
    Array.from(CHINESE.keys(), (english) => /^([A-Z][^{]*): \{\w+\}$/.exec(english)?.[1] ?? [])
      .flat().map(escaped).join("|")
  }): `,
);

/** Marks between parts that have an entry each, by their Chinese; text may be Chinese in part already. */
const MARKS: Readonly<Record<string, string>> = {
  ...{ ": ": "：", "; ": "；", ", ": "，" },
  ...{ "：": "：", "；": "；", "，": "，", "（": "（", "）": "）" },
};
/** A mark, or what has its own marks. */
const MARK = new RegExp(
  `"[^"]*"|\\((?:[^()]|\\([^()]*\\))*\\)|(${Object.keys(MARKS).join("|")})`,
  "g",
);

/** A text with more of them, or longer, is somebody else's, and stays as it is. */
const MAX_MARKS = 40;
const MAX_LENGTH = 1000;
/** So often a line is looked up, in whole or in part; what is left then stays as it is. */
const MAX_LOOKS = 100;
/** Behind so many marks an entry is looked for. */
const TRIED_MARKS = 6;

/** Between a reason and what to do about it. */
const ARROW = " \u2192 ";
/** The head of a log line, the panel that it is about, and the rest. */
const LOGGED = /^((?:\S+Z )?(?:[a-z]+ +)?[a-z]+): (\[[^\]]*\] )?(?=[A-Z])(.*)$/s;

/** The text in a language, as a whole or line by line; what has no entry stays English. */
export function translate(text: string, language: Language): string {
  if (language === "en") return text;
  return CHINESE.get(text) ?? text.split("\n").map(translateLine).join("\n");
}

/** How often a line may be looked up yet, which bounds the work on it whatever its parts. */
interface Looks {
  left: number;
}

/** Each cell of a line on its own, so that the columns of a table stay where they are. */
function translateLine(line: string): string {
  const looks: Looks = { left: MAX_LOOKS };
  return line.replace(/(\S.*?)( {2,}|$)/g, (_, cell: string, gap: string) => {
    const chinese = translateText(cell, looks);
    if (gap === "") return chinese;
    return padded(chinese, Math.max(displayWidth(cell + gap), displayWidth(chinese) + 2));
  });
}

/** A duration by its unit, a text by its entry, or else its parts by theirs. */
function translateText(text: string, looks: Looks): string {
  const [, count, unit = ""] = DURATION.exec(text) ?? [];
  if (count !== undefined) return `${count} ${UNITS[unit]}`;
  if (!/[a-z]/i.test(text)) return text;
  const known = byEntry(text, looks);
  if (known !== undefined) return known;
  if (!text.includes(ARROW)) return byParts(text, looks) ?? text;
  const [, head, panel = "", rest = ""] = LOGGED.exec(text) ?? [];
  if (head !== undefined) return `${head}\uFF1A${panel}${translateText(rest, looks)}`;
  return text.split(ARROW).map((part) => translateText(part, looks)).join(ARROW);
}

/** A value or a part: a single word in small letters is most likely a name that somebody gave. */
function translatePart(text: string, looks: Looks): string {
  return isPhrase(text) ? translateText(text, looks) : text;
}

/** An item of an enumeration: a part, or a name with what belongs to it in brackets. */
function translateItem(text: string, looks: Looks): string {
  return translatePart(text, looks).replace(
    /^(\S+) \(([^()]*)\)$/,
    (_, name: string, details: string) => `${name}（${translatePart(details, looks)}）`,
  );
}

function isPhrase(text: string): boolean {
  return /^[A-Z]| /.test(text);
}

/** The Chinese of an entry for the whole text; `undefined` when none matches. */
function byEntry(text: string, looks: Looks): string | undefined {
  const chinese = CHINESE.get(text);
  if (chinese !== undefined) return chinese;
  if (text.length > MAX_LENGTH || looks.left <= 0) return undefined;
  looks.left--;
  const hasHead = HEAD.test(text);
  for (const { pattern, chinese } of TEMPLATES) {
    if (hasHead && pattern.source.startsWith("^(?<")) continue;
    const values = pattern.exec(text)?.groups;
    if (values !== undefined) return fillIn(chinese, values, looks);
  }
  return undefined;
}

/** Puts values into the Chinese of an entry, translated too; blanks are for Latin letters beside Chinese. */
function fillIn(chinese: string, values: Readonly<Record<string, string>>, looks: Looks): string {
  // The blanks around an arrow stay.
  const held = chinese.replaceAll(ARROW, "\0");
  return held.replace(/( ?)\{(\w+)(\u3001?)\}( ?)/g, (_, before, name, comma, after) => {
    const text = values[name] ?? "";
    const value = comma === ""
      ? translatePart(text, looks)
      : text.split(", ").map((item) => translateItem(item, looks)).join(comma);
    return (/^[^!-~]/.test(value) ? "" : before) + value + (/[^!-~]$/.test(value) ? "" : after);
  }).replaceAll("\0", ARROW);
}

/**
 * Splits a text at the first mark behind a part that has an entry, such as an error before its cause, or
 * else at the first mark: between sentences, if there are several. `undefined` when neither part has
 * Chinese.
 */
function byParts(text: string, looks: Looks): string | undefined {
  const splits = Array.from(text.matchAll(MARK), ({ 1: mark = "", index }) => ({
    head: text.slice(0, index),
    mark,
    tail: text.slice(index + mark.length),
  })).filter(({ mark }) => mark !== "");
  if (splits.length > MAX_MARKS || looks.left <= 0) return undefined;
  const known = ({ head }: { head: string }) =>
    head === "" || (isPhrase(head) && byEntry(head, looks) !== undefined);
  // Of sentences, the first alone is tried: with each as one, a text would take 3^n looks.
  const sentences = splits.find(({ mark }) => mark === "; ");
  const sentence = sentences === undefined ? "" : translatePart(sentences.head, looks);
  const isSentence = sentences !== undefined && sentence !== sentences.head;
  const found = isSentence ? sentences : splits.slice(0, TRIED_MARKS).find(known);
  const split = found ?? splits[0];
  if (split === undefined) return undefined;
  const { head, mark, tail } = split;
  const rest = translatePart(tail, looks);
  if (found === undefined && rest === tail) return undefined;
  // Names in a list keep their commas.
  const isList = found === undefined && mark === ", ";
  const start = isSentence ? sentence : translatePart(head, looks);
  return start + (isList ? mark : MARKS[mark]) + rest;
}

function ownLetters(english: string): number {
  return english.replace(/\{.*?\}/g, "").length;
}

function escaped(text: string): string {
  return text.replace(/[.*+?^$()[\]\\|]/g, "\\$&");
}

/**
 * `{name}` matches any text, `{#name}` a number with its unit, and a name again the same text. At the
 * beginning a thing is one part of a sentence, and in brackets a value has closed all that it opens.
 */
function patternOf(english: string): RegExp {
  const names = new Set<string>();
  const source = escaped(english).replace(
    /\{(#?)(\w+)\}(=|\\\)|"|)/g,
    (_, isNumber: string, name: string, end: string, at: number) => {
      if (names.has(name)) return `\\k<${name}>${end}`;
      names.add(name);
      const isFirst = (at === 0 && name !== "text") || name === "cause";
      const value = THINGS.includes(name) ? PART : isFirst ? SENTENCE : ".*?";
      const any = { "=": SETTING, "\\)": CLOSED, '"': QUOTED }[end] ?? value;
      return `(?<${name}>${isNumber ? NUMBER : any})${end}`;
    },
  );
  return new RegExp(`^${source}$`);
}
