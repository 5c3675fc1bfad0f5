/**
 * Edits a configuration file in place, so that comments and the order of a user's own file stay.
 *
 * @module
 */

import { applyEdits, modify } from "jsonc-parser";
import { configText, jsonValue, readConfigFile } from "./config_file.ts";
import type { OptionTexts } from "./option.ts";

const FORMAT = { formattingOptions: { insertSpaces: true, tabSize: 2, eol: "\n" } };

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
  const [present, wanted] = [optionsOf(text), optionsOf(configText(options))];
  const set = (text: string, key: string, value: unknown) =>
    applyEdits(text, modify(text, [key], value, FORMAT));
  const gone = [...present.keys()].filter((key) => !options.has(key));
  const changed = [...options].filter(([key]) => present.get(key) !== wanted.get(key));
  const without = gone.reduce((text, key) => set(text, key, undefined), text);
  return changed.reduce((text, [key, value]) => set(text, key, jsonValue(key, value)), without);
}
