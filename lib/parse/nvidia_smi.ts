import type { Gpu } from "../types.ts";
import { quoteStart } from "./bounded_text.ts";

const MEBIBYTE = 1024 * 1024;
/** Numeric columns after the name: total and used memory, utilization, temperature. */
const NUMBERS = 4;
const MAX_NAME_LENGTH = 100;
/** A number, or `[N/A]`, `[Not Supported]`, `[Unknown Error]`, `N/A`. */
const VALUE = /^(?:-?\d{1,9}(?:\.\d{1,6})?|\[[^\]]*\]|N\/A)$/;

/**
 * Parses the CSV output of `nvidia-smi`, a card per line: name, total and used memory in MiB,
 * utilization in percent, degrees Celsius.
 *
 * Values that a card does not report are absent. Other lines, such as warnings, are skipped.
 *
 * @throws {SyntaxError} When no line describes a card; the message quotes the first line.
 */
export function parseNvidiaSmi(text: string): Gpu[] {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const cards = lines.flatMap((line) => parseCard(line) ?? []);
  if (cards.length === 0) {
    const first = quoteStart(lines[0] ?? "", MAX_NAME_LENGTH);
    throw new SyntaxError(`Cannot parse nvidia-smi: there is no card in ${first}`);
  }
  return cards;
}

function parseCard(line: string): Gpu | undefined {
  const fields = line.split(",").map((field) => field.trim());
  const values = fields.slice(-NUMBERS);
  const name = fields.slice(0, -NUMBERS).join(", ").slice(0, MAX_NAME_LENGTH);
  if (name === "" || !values.every((value) => VALUE.test(value))) return undefined;
  const [total, used, use, temperature] = values.map((value) =>
    /\d$/.test(value) ? Number(value) : undefined
  );
  const card: Gpu = { name: name.startsWith("[") ? "NVIDIA" : name };
  if (total !== undefined && used !== undefined && total > 0 && used >= 0) {
    card.memory = {
      totalBytes: mebibytesToBytes(total),
      usedBytes: mebibytesToBytes(Math.min(used, total)),
    };
  }
  if (use !== undefined && use >= 0 && use <= 100) card.usePercent = use;
  if (temperature !== undefined && temperature > -273 && temperature < 1000) {
    card.temperatureCelsius = temperature;
  }
  return card;
}

function mebibytesToBytes(mebibytes: number): number {
  return Math.round(mebibytes * MEBIBYTE);
}
