import type { Layer } from "./option.ts";
import { OPTIONS, type ResolvedOptions } from "./option_table.ts";
import type { PanelSettings } from "./parsers.ts";
import { UsageError } from "./usage_error.ts";

/**
 * Drops what is not used, with a notice of each: panels of a weaker layer than the endpoint's, since
 * that one names them all, and a token beside panels that have their own.
 *
 * @throws {UsageError} When the command line has that token.
 */
export function withoutUnused(
  found: ResolvedOptions["found"],
  layers: readonly Layer[],
): { found: ResolvedOptions["found"]; notices: readonly string[] } {
  const own = found.get(OPTIONS.endpoint);
  const several = found.get(OPTIONS.panels);
  const used = new Map(found);
  const notices: string[] = [];
  for (const option of own === undefined ? [OPTIONS.token, OPTIONS.tokenFile] : []) {
    const { origin, rank } = found.get(option) ?? {};
    if (several === undefined || origin === undefined) continue;
    if (rank === 0 && several.rank > 0) {
      throw new UsageError(
        `Cannot use ${origin} without --endpoint: ${several.origin} has the token of each panel`,
      );
    }
    used.delete(option);
    notices.push(`${origin} is not used: ${several.origin} has the token of each panel`);
  }
  if (own === undefined) return { found: used, notices };
  const weaker = layers.slice(own.rank + 1).find(({ texts }) => texts.get(OPTIONS.panels))
    ?.nameOf(OPTIONS.panels);
  if (weaker !== undefined) {
    notices.push(`${weaker.origin} is not used: ${own.origin} names all panels`);
    if (weaker.origin === several?.origin) used.delete(OPTIONS.panels);
  }
  return { found: used, notices };
}

/**
 * Puts the panels of the option `panels` beside the one of `endpoint` and `token`, or in its place
 * if there is none.
 *
 * @returns The panels, the first one first; none where `panels` names none that counts.
 * @throws {UsageError} When it is unclear which panel gets remote control, or two are the same node.
 */
export function severalPanels(
  { values, found }: ResolvedOptions,
  single: PanelSettings,
): readonly PanelSettings[] {
  const several = found.get(OPTIONS.panels);
  const own = found.get(OPTIONS.endpoint);
  if (several === undefined || values.panels.length === 0) return [];
  const given = found.get(OPTIONS.enableRemoteControl);
  // A flag or variable beside a file that names them all may mean any of them.
  const isOwn = own !== undefined && own.rank === given?.rank && several.rank > 0;
  if (single.remoteControl && !isOwn) {
    throw new UsageError(
      "Cannot use --enable-remote-control with several panels: set enable_remote_control for the " +
        "panel that may, in panels of a configuration file",
    );
  }
  const further = values.panels.map((panel): PanelSettings => {
    const remoteControl = panel.remoteControl && !values.disableWebSsh;
    return {
      ...panel,
      intervalSeconds: panel.intervalSeconds ?? single.intervalSeconds,
      remoteControl,
      remoteFiles: remoteControl && !values.disableRemoteFiles,
    };
  });
  const all = own === undefined ? further : [single, ...further];
  const nodes = new Set(all.map(({ endpoint, token }) => `${endpoint} ${token}`));
  if (nodes.size < all.length) {
    throw new UsageError("Cannot report to one node of a panel twice: panels names it again");
  }
  return all;
}

/** A panel's host and path, without the parts of its address that may be secret. */
export function panelName({ endpoint }: { readonly endpoint: string }): string {
  const { host, pathname } = new URL(endpoint);
  return host + pathname.replace(/\/$/, "");
}

/** The names of all panels; that of another node at a panel is numbered, so that no two are alike. */
export function panelNames(panels: readonly { readonly endpoint: string }[]): string[] {
  const counts = new Map<string, number>();
  return panels.map((panel) => {
    const name = panelName(panel);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return count === 1 ? name : `${name} (${count})`;
  });
}
