/**
 * What a page says of itself.
 *
 * @module
 */

import { foreignWords, truncate } from "../parse/bounded_text.ts";
import { jsonFields, parseJson } from "../parse/json.ts";

/** Whether a text is HTML, as proxies and old panels answer. */
export function isHtml(text: string): boolean {
  return /^\s*</.test(text);
}

/** Describes an error behind its status: the panel's message in JSON, else the first line of a page. */
export function reasonOf(text: string): string {
  const line = firstPageLine(text);
  const quoted = line === "" ? "" : `, "${line}"`;
  if (isHtml(text)) return ` and a page of HTML${quoted}`;
  const { error, message } = jsonFields(parseJson(text));
  const words = [message, error].find((word) => typeof word === "string");
  return words === undefined ? quoted : `, "${foreignWords(String(words), 200)}"`;
}

/** Longest part of a page that is looked at, and of its first line that is shown. */
const MAX_PAGE_LENGTH = 2048;
const MAX_LINE_LENGTH = 80;

/** The title of a page of HTML, or its first words; the first line of a text; empty for JSON. */
export function firstPageLine(text: string): string {
  const page = text.slice(0, MAX_PAGE_LENGTH);
  if (/^\s*[[{"]/.test(page)) return "";
  const [, title] = /<title[^<>]*>([^<]*)/i.exec(page) ?? [];
  const words = title ?? page.replace(/<(script|style)\b[^]*?<\/\1>|<[^<>]*>/gi, "\n");
  const [line = ""] = words.split("\n").map((it) => it.trim()).filter((it) => it !== "");
  return foreignWords(line.replaceAll('"', "'"), MAX_LINE_LENGTH);
}

/** Describes the target of a redirect, without its query. */
export function redirectPlace(location: string): string {
  const base = "http://panel";
  if (!URL.canParse(location, base)) return "an unreadable address";
  const { origin, pathname } = new URL(location, base);
  return truncate(origin === base ? pathname : origin + pathname, 200);
}
