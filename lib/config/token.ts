import { UsageError } from "./usage_error.ts";
import { type Find, parseFound } from "./found.ts";
import { OPTIONS } from "./options.ts";
import { type ConfigSources, readOrRefuse } from "./sources.ts";
import { parseToken, TOKEN_RULE } from "./values.ts";

/** A token, and where it was read. */
export interface FoundToken {
  /** Empty when there is none. */
  readonly token: string;
  /** The file that an option names, with the option's name. */
  readonly file?: { readonly option: string; readonly path: string };
}

/**
 * The token itself or the file that holds it, whichever was asked for in the stronger place; else
 * what systemd hands over.
 *
 * @throws {UsageError} When it can't be read or used, and when both stand in the same place.
 */
export function findToken(find: Find, sources: ConfigSources): FoundToken {
  const token = find(OPTIONS.token);
  const file = find(OPTIONS.tokenFile);
  if (token !== undefined && token.rank <= (file?.rank ?? token.rank)) {
    if (token.rank === file?.rank) {
      throw new UsageError(`Cannot use both ${token.origin} and ${file.origin}: give one of them`);
    }
    return { token: parseFound(OPTIONS.token, token) };
  }
  if (file !== undefined) {
    const path = parseFound(OPTIONS.tokenFile, file);
    const text = readOrRefuse(file.name, path, sources.readText);
    return { token: parseText(text, `${file.name} ${path}`), file: { option: file.name, path } };
  }
  return { token: credential(sources) };
}

/** The token that systemd hands over; it has no folder for services without credentials. */
function credential({ env, readText }: ConfigSources): string {
  const path = `${env.CREDENTIALS_DIRECTORY}/token`;
  let text: string;
  try {
    if (!env.CREDENTIALS_DIRECTORY) return "";
    text = readText(path);
  } catch {
    // The credentials may be another program's.
    return "";
  }
  return parseText(text, `the token in ${path}`);
}

function parseText(text: string, name: string): string {
  if (text.trim() === "") throw new UsageError(`Cannot use ${name}: it is empty`);
  try {
    return parseToken(text);
  } catch (cause) {
    throw new UsageError(`Cannot use ${name}: allowed is ${TOKEN_RULE}`, { cause });
  }
}
