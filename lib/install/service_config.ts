import type { Config } from "../config/config.ts";
import { configText } from "../config/config_text.ts";
import type { Option } from "../config/option.ts";
import { OPTIONS } from "../config/options.ts";

const ROWS: readonly Option<unknown>[] = Object.values(OPTIONS);

/**
 * The configuration file of a service that does what this one was asked to do.
 *
 * Paths become full, since a service starts elsewhere. `stateFolder` is written where the program
 * would not find it by itself.
 */
export function serviceConfigText(
  { install, token }: Pick<Config, "install" | "token">,
  { folder, stateFolder }: { folder: string; stateFolder: string | undefined },
): string {
  const given = new Map<string, string>();
  for (const [key, text] of install.given) {
    const { placeholder = "" } = ROWS.find((row) => row.key === key) ?? {};
    const isPath = ["FILE", "FOLDER"].includes(placeholder) && text !== "";
    given.set(key, isPath && !text.startsWith("/") ? `${folder}/${text}` : text);
  }
  if (token !== "") given.set("token", token);
  if (stateFolder !== undefined) given.set("state_dir", stateFolder);
  return configText(given);
}
