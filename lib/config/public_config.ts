import { redactLogins, redactQueries, redactSecrets } from "../log/redact.ts";
import type { Config } from "./config.ts";
import type { Option } from "./option.ts";
import { OPTIONS } from "./option_table.ts";

/** Stands for a secret that is set. */
const HIDDEN = "(hidden)";

/**
 * The configuration by the keys of the configuration file, for a reader who must not learn any
 * secret: a panel shows it to its administrators.
 *
 * Secret options that are set are hidden, those that are not are left out. Of URLs the user name,
 * the password and the query are left out.
 */
export function publicConfig(config: Config): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  const values: Readonly<Record<string, unknown>> = { ...config };
  const rows: Readonly<Record<string, Option<unknown>>> = OPTIONS;
  for (const [name, { key, secret, noEffect, flag, initial }] of Object.entries(rows)) {
    if (key === undefined || noEffect !== undefined) continue;
    const explicit = config.explicitOptions.get(key);
    if (secret === true) {
      const isSet = explicit !== undefined || (flag === "token" && config.token !== "");
      if (isSet) shown[key] = HIDDEN;
      continue;
    }
    // A switch that is on unless it is set means its opposite.
    const effective = initial === true ? values[name] !== true : values[name];
    const value = shownValue(effective, config.secrets) ?? shownValue(explicit, config.secrets);
    if (value !== undefined) shown[key] = value;
  }
  // Panels show the first as "remote control is off", whichever option turned it off.
  const { remoteControl } = config;
  return { ...shown, disable_web_ssh: !remoteControl, enable_remote_control: remoteControl };
}

/** A text, number, flag or list of texts; `undefined` for everything else. */
function shownValue(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "string") return shownText(value, secrets);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) {
    return value.map((item) => shownValue(item, secrets));
  }
  return undefined;
}

/** An option's text without secrets, and without the queries of URLs; `login` stands for their logins. */
export function shownText(text: string, secrets: readonly string[], login = ""): string {
  return redactSecrets(redactQueries(redactLogins(text, login)), secrets);
}
