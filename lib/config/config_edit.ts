/**
 * Edits a configuration file in place, so that comments and the order of a user's own file stay.
 *
 * @module
 */

import { applyEdits, findNodeAtLocation, modify, parseTree, stripComments } from "jsonc-parser";
import { configText, jsonValue, readConfigFile } from "./config_file.ts";
import type { OptionTexts } from "./option.ts";

const FORMAT = {
  formattingOptions: { insertSpaces: true, tabSize: 2, eol: "\n" },
  // Behind the last key it would take over the comment there.
  getInsertionIndex: () => 0,
};

/**
 * The text with exactly these options, by their keys: others go with the comment beside them, new ones
 * come first, and what has its value already stays as it is written, with all other comments. A text that
 * can't be edited so is replaced.
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
  const [present, wanted] = [optionsOf(text), optionsOf(configText(options))];
  const gone = [...present.keys()].filter((key) => !options.has(key));
  const changed = [...options].filter(([key]) => present.get(key) !== wanted.get(key));
  const without = gone.reduce(withoutKey, text);
  return changed.reduceRight(
    (text, [key, value]) => withValue(text, key, jsonValue(key, value)),
    without,
  );
}

/** `undefined` removes the key, and all comments between it and the one before it. */
function withValue(text: string, key: string, value: unknown): string {
  return applyEdits(text, modify(text, [key], value, FORMAT));
}

/** Where there are comments, the comma before a last key may stay: only plain JSON has to be plain again. */
function withoutKey(text: string, key: string): string {
  const tree = parseTree(text);
  const property = tree && findNodeAtLocation(tree, [key])?.parent;
  if (property === undefined || stripComments(text) === text) {
    return withValue(text, key, undefined);
  }
  const before = text.slice(0, property.offset).replace(/\n[ \t]*$/, "");
  const after = text.slice(property.offset + property.length);
  return before + after.replace(/^\s*,(?:[ \t]*\/\/.*)?|^[ \t]*\/\/.*/, "");
}
