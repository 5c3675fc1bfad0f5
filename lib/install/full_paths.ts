import type { Option } from "../config/option.ts";
import { OPTIONS } from "../config/options.ts";

const ROWS: readonly Option<unknown>[] = Object.values(OPTIONS);

/** The same options with full paths, since a service starts elsewhere than in `folder`. */
export function fullPaths(
  given: ReadonlyMap<string, string>,
  folder: string,
): Map<string, string> {
  return new Map(Array.from(given, ([key, text]) => {
    const { placeholder = "" } = ROWS.find((row) => row.key === key) ?? {};
    const isPath = ["FILE", "FOLDER"].includes(placeholder) && text !== "";
    return [key, isPath && !text.startsWith("/") ? `${folder}/${text}` : text];
  }));
}
