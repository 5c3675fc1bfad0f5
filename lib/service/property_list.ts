import { ORIGIN } from "./service_plan.ts";

/** A value as such a list has it, of those that are needed. */
type PropertyValue = string | number | true | readonly PropertyValue[] | Properties;

/** Values by their keys. */
interface Properties {
  readonly [key: string]: PropertyValue;
}

/** A property list of a Mac's, in its form as XML. */
export function propertyList(values: Properties): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<!-- ${ORIGIN} -->`,
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" ' +
    '"http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    ...linesOf(values),
    "</plist>",
    "",
  ].join("\n");
}

function linesOf(value: PropertyValue): string[] {
  if (value === true) return ["<true/>"];
  if (typeof value === "number") return [`<integer>${value}</integer>`];
  if (typeof value === "string") return [`<string>${escaped(value)}</string>`];
  if (isList(value)) return ["<array>", ...indented(value.flatMap(linesOf)), "</array>"];
  const entries = Object.entries(value).flatMap(([key, inner]) => [
    `<key>${escaped(key)}</key>`,
    ...linesOf(inner),
  ]);
  return ["<dict>", ...indented(entries), "</dict>"];
}

function isList(value: object): value is readonly PropertyValue[] {
  return Array.isArray(value);
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
