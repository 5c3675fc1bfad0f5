/**
 * Edits a configuration file in place, so that comments and the order of a user's own file stay.
 *
 * @module
 */

import { applyEdits, createScanner, type Edit, type Node, parseTree } from "jsonc-parser";
import { configText, jsonValue, readConfigFile } from "./config_file.ts";
import type { OptionTexts } from "./option.ts";

/**
 * The text with exactly these options, by their keys: others go, new ones come last, and what has its
 * value already stays as it is written, with all comments. A text that can't be edited so is replaced.
 */
export function editConfigText(text: string, options: OptionTexts): string {
  try {
    const edited = withOptions(text, options);
    const found = optionsOf(edited);
    const isWhole = found.size === options.size &&
      [...optionsOf(configText(options))].every(([key, value]) => found.get(key) === value);
    if (isWhole) return edited;
  } catch {
    // It has a form that no one writes by hand.
  }
  return configText(options);
}

function optionsOf(text: string): OptionTexts {
  return readConfigFile("it", { option: "", readText: () => text });
}

function withOptions(text: string, options: OptionTexts): string {
  const present = optionsOf(text);
  const gone = [...present.keys()].filter((key) => !options.has(key));
  const withoutGone = gone.reduce(removeKey, text);
  const wanted = optionsOf(configText(options));
  return [...options].reduce(
    (edited, [key, value]) =>
      present.get(key) === wanted.get(key)
        ? edited
        : setKey(edited, { key, value: jsonValue(key, value) }),
    withoutGone,
  );
}

function setKey(text: string, { key, value }: { key: string; value: unknown }): string {
  const { node, properties } = parseObject(text);
  const written = JSON.stringify(value, null, 2).replaceAll("\n", "\n  ");
  const [, old] = properties.findLast((it) => keyOf(it) === key)?.children ?? [];
  if (old !== undefined) return applyEdits(text, [{ ...placeOf(old), content: written }]);
  const line = `  ${JSON.stringify(key)}: ${written}`;
  const last = properties.at(-1);
  if (last === undefined) {
    const offset = node.offset + node.length - 1;
    const start = text[offset - 1] === "\n" ? "" : "\n";
    return applyEdits(text, [{ offset, length: 0, content: `${start}${line}\n` }]);
  }
  const end = last.offset + last.length;
  const comma = commaAfter(text, end);
  const offset = lineEndAfter(text, comma === undefined ? end : comma + 1);
  const edits: Edit[] = comma === undefined ? [{ offset: end, length: 0, content: "," }] : [];
  return applyEdits(text, [...edits, { offset, length: 0, content: `\n${line}` }]);
}

/** Removes a key with its comma, and its line if nothing else is on it. */
function removeKey(text: string, key: string): string {
  const { properties } = parseObject(text);
  const at = properties.findLastIndex((it) => keyOf(it) === key);
  const property = properties[at];
  if (property === undefined) return text;
  const end = property.offset + property.length;
  const comma = commaAfter(text, end);
  const before = properties[at - 1];
  const edits: Edit[] = [lineOf(text, property.offset, comma === undefined ? end : comma + 1)];
  if (comma === undefined && before !== undefined) {
    const offset = commaAfter(text, before.offset + before.length);
    if (offset !== undefined) edits.unshift({ offset, length: 1, content: "" });
  }
  return applyEdits(text, edits);
}

function parseObject(text: string): { node: Node; properties: readonly Node[] } {
  const node = parseTree(text, [], { allowTrailingComma: true });
  if (node?.type !== "object") throw new TypeError("Cannot edit what is no object");
  return { node, properties: node.children ?? [] };
}

function keyOf({ children }: Node): unknown {
  return children?.[0]?.value;
}

function placeOf({ offset, length }: Node): Pick<Edit, "offset" | "length"> {
  return { offset, length };
}

/** Where the comma behind a value stands; `undefined` when there is none. */
function commaAfter(text: string, offset: number): number | undefined {
  const next = tokensFrom(text, offset).find((it) => !isTrivia(it.text));
  return next?.text === "," ? next.offset : undefined;
}

/** The end of a line on which only comments follow, else the place itself. */
function lineEndAfter(text: string, offset: number): number {
  const next = tokensFrom(text, offset).find((it) => !isTrivia(it.text) || isLineBreak(it.text));
  return next !== undefined && isLineBreak(next.text) ? next.offset : offset;
}

/** Whether a token stands between two values only: a comment, blanks or a line break. */
function isTrivia(token: string): boolean {
  return /^(?:\s|\/\/|\/\*)/.test(token);
}

function isLineBreak(token: string): boolean {
  return /^[\r\n]/.test(token);
}

function* tokensFrom(text: string, start: number): Generator<{ text: string; offset: number }> {
  const scanner = createScanner(text);
  scanner.setPosition(start);
  for (;;) {
    scanner.scan();
    const offset = scanner.getTokenOffset();
    const length = scanner.getTokenLength();
    if (length === 0) return;
    yield { text: text.slice(offset, offset + length), offset };
  }
}

/** Removes a part of a text, with the whole line where nothing else is on it. */
function lineOf(text: string, start: number, end: number): Edit {
  const [, blanks = ""] = /(?:^|\n)([ \t]*)$/.exec(text.slice(0, start)) ?? [];
  const [rest] = /^[ \t]*\r?\n/.exec(text.slice(end)) ?? [];
  const isAlone = rest !== undefined && /(?:^|\n)[ \t]*$/.test(text.slice(0, start));
  return isAlone
    ? {
      offset: start - blanks.length,
      length: end - start + blanks.length + rest.length,
      content: "",
    }
    : { offset: start, length: end - start, content: "" };
}
