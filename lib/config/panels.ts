import type { OptionLookup } from "./option_lookup.ts";
import { OPTIONS } from "./option_table.ts";
import { UsageError } from "./usage_error.ts";

/** The first panel, and the further ones that are reported to beside it. */
export interface ResolvedPanels {
  readonly first: PanelSettings;
  readonly furtherPanels: readonly PanelSettings[];
}

/** The settings that differ between panels. */
export interface PanelSettings {
  readonly endpoint: string;
  readonly token: string;
  /** `undefined` if not set: it depends on the transport then. */
  readonly intervalSeconds: number | undefined;
  readonly remoteControl: boolean;
  readonly remoteFiles: boolean;
}

/**
 * Puts the panels of the option `panels` beside the one of `endpoint` and `token`, or in its place
 * if there is none. A stronger source of `endpoint` replaces them all.
 *
 * @throws {UsageError} When it is unclear which panel gets remote control, or two are the same node.
 */
export function resolvePanels(
  lookup: OptionLookup,
  single: PanelSettings,
  { isVetoed }: { isVetoed: boolean },
): ResolvedPanels {
  const found = lookup.find(OPTIONS.panels);
  const own = lookup.find(OPTIONS.endpoint);
  const panels = lookup.value(OPTIONS.panels);
  if (found === undefined || panels.length === 0 || (own !== undefined && own.rank < found.rank)) {
    return { first: single, furtherPanels: [] };
  }
  if (single.remoteControl && (own === undefined || found.rank === 0)) {
    throw new UsageError(
      "Cannot use --enable-remote-control with several panels: set enable_remote_control for the " +
        "panel that may, in panels of a configuration file",
    );
  }
  const isFilesOff = lookup.value(OPTIONS.disableRemoteFiles);
  const further = panels.map((panel): PanelSettings => {
    const remoteControl = panel.enableRemoteControl && !isVetoed;
    return {
      endpoint: panel.endpoint,
      token: panel.token,
      intervalSeconds: panel.interval ?? single.intervalSeconds,
      remoteControl,
      remoteFiles: remoteControl && !isFilesOff,
    };
  });
  const all = own === undefined ? further : [single, ...further];
  const nodes = new Set(all.map(({ endpoint, token }) => `${endpoint} ${token}`));
  if (nodes.size < all.length) {
    throw new UsageError("Cannot report to one node of a panel twice: panels names it again");
  }
  const [first = single, ...furtherPanels] = all;
  return { first, furtherPanels };
}
