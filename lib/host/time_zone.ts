import { attempt } from "../attempt.ts";
import type { Roots } from "./host.ts";

/** The path of a zone's file, which ends with its name; the engine takes no variants of it. */
const ZONE_PATH = /(?:^|\/)zoneinfo\/(posix\/|right\/)?(.+)$/;

/**
 * Has this process use the local time of the machine with these roots, where the engine does not know it
 * by itself: that of another root, and one that is set by a path. `TZ` names it; another value wins.
 */
export function useLocalTime({ root }: Pick<Roots, "root">): void {
  const isOwn = root === "/";
  const folder = isOwn ? "" : root;
  const variable = Deno.env.get("TZ");
  const path = variable ?? attempt(() => Deno.readLinkSync(`${folder}/etc/localtime`)) ?? "";
  const [, variant, inPath] = ZONE_PATH.exec(path) ?? [];
  const isKnown = variable === undefined && isOwn && variant === undefined;
  const name = inPath ??
    (variable ?? attempt(() => Deno.readTextFileSync(`${folder}/etc/timezone`)))?.trim();
  if (!isKnown && name && name !== variable) Deno.env.set("TZ", name);
}
