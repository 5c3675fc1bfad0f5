/**
 * The layers of a configuration: where options are set, by the names that they have there.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Layer, Option } from "./option.ts";
import { OPTION_ROWS, OPTIONS } from "./option_table.ts";
import { UsageError } from "./usage_error.ts";

/** The flags of a command line. */
export type Flags = ReadonlyMap<Option<unknown>, string>;

/**
 * The layer of the command line, in which `--unset` returns options to their default.
 *
 * @throws {UsageError} When a flag sets one of them.
 */
export function flagLayer(flags: Flags): Layer {
  const texts = new Map<Option<unknown>, string | null>(flags);
  // A mistake in it is found with all others.
  const names = attempt(() => OPTIONS.unset.parse(flags.get(OPTIONS.unset) ?? "")) ?? [];
  for (const option of OPTION_ROWS.filter(({ key = "" }) => names.includes(key))) {
    if (flags.has(option)) {
      throw new UsageError(`Cannot use --unset ${option.key} together with --${option.flag}`);
    }
    texts.set(option, null);
  }
  // Further panels have no flag of their own: they are the further values of --endpoint.
  return {
    texts,
    nameOf: ({ flag = "endpoint" }) => ({ name: `--${flag}`, origin: `flag --${flag}` }),
  };
}

/** A layer of texts by the names that options have there; an empty text sets nothing. */
export function layer(
  textOf: (name: string) => string | undefined,
  nameOf: (option: Option<unknown>) => string,
  originOf: (name: string) => string,
): Layer {
  const texts = OPTION_ROWS.flatMap((row): [Option<unknown>, string][] => {
    const text = textOf(nameOf(row));
    return text ? [[row, text]] : [];
  });
  return {
    texts: new Map(texts),
    nameOf: (row) => ({ name: nameOf(row), origin: originOf(nameOf(row)) }),
  };
}
