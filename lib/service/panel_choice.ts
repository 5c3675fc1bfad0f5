import type { Config } from "../config/config.ts";
import { readConfigFile } from "../config/config_file.ts";
import { type PanelSettings, parsePanels } from "../config/parsers.ts";
import { UsageError } from "../config/usage_error.ts";

/** The panels that an installed service reports to. */
export interface InstalledPanels {
  readonly endpoint: string;
  /** Empty when the node registers itself. */
  readonly token: string;
  /** Whether the panel of `endpoint` has remote control. */
  readonly remoteControl: boolean;
  readonly panels: readonly PanelSettings[];
}

/**
 * Reads the panels of an installed configuration; `undefined` when there is none.
 *
 * @throws {Error} When it can't be read or is invalid.
 */
export function readInstalledPanels(path: string): InstalledPanels | undefined {
  try {
    Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const readText = (path: string) => Deno.readTextFileSync(path);
  const options = readConfigFile(path, { option: "the installed configuration", readText });
  return {
    endpoint: options.get("endpoint") ?? "",
    token: options.get("token") ?? "",
    remoteControl: options.get("enable_remote_control") === "true",
    panels: parsePanels(options.get("panels") ?? "[]"),
  };
}

/**
 * Decides what becomes of the installed panels when another one is given: with `--add` the service
 * reports to all of them, with `--replace-panel` only to the one given. Another token for an
 * installed panel takes the place of its token.
 *
 * @throws {UsageError} When neither is given, or `--add` can't be done.
 */
export function choosePanels(config: Config, installed: InstalledPanels | undefined): Config {
  if (installed === undefined || installed.endpoint === "") return config;
  const { endpoint, token, addPanel, replacePanel } = config;
  const all = [installed, ...installed.panels];
  const known = all.filter((panel) => panel.endpoint === endpoint);
  if (known.length === 0) {
    if (addPanel) return addPanels(config, installed);
    if (replacePanel) return replacePanels(config);
    const endpoints = all.map((panel) => panel.endpoint).join(", ");
    throw new UsageError(
      `Cannot install for ${endpoint}: the service reports to ${endpoints}; use ` +
        "--add to report to both, or --replace-panel to report only to the new one",
    );
  }
  const isNewToken = token !== "" && known.every((panel) => panel.token !== token);
  if (addPanel && isNewToken) {
    throw new UsageError(
      `Cannot use --add for ${endpoint}: the service reports to it already, with another token; ` +
        "use --replace-panel to report only to it, with the new token",
    );
  }
  if (replacePanel && isNewToken) return replacePanels(config);
  // Panels that are given now take the place of all.
  if (config.furtherPanels.length > 0 || installed.panels.length === 0) return config;
  // Several nodes may be at one panel: the token says which, and two are never the same one.
  if (known.some((panel) => panel.token === token)) {
    return withPanels(withFirst(config, installed), installed.panels);
  }
  return known.includes(installed)
    ? withPanels(config, installed.panels)
    : withOtherToken(config, installed);
}

/** Keeps the first panel, and gives the first of the others at this address its new token. */
function withOtherToken(config: Config, installed: InstalledPanels): Config {
  const { endpoint, token } = config;
  const changed = installed.panels.find((panel) => panel.endpoint === endpoint);
  const panels = installed.panels.map((panel) =>
    panel === changed && token !== "" ? { ...panel, token } : panel
  );
  return withPanels(withFirst(config, installed), panels);
}

function addPanels(config: Config, installed: InstalledPanels): Config {
  if (config.token === "") {
    throw new UsageError("Cannot use --add without a token: only one node can register itself");
  }
  if (config.remoteControl !== installed.remoteControl) {
    throw new UsageError(
      "Cannot use --add with --enable-remote-control: set enable_remote_control for the panel in " +
        "panels of a configuration file",
    );
  }
  const added = [config, ...config.furtherPanels].map(({ endpoint, token }): PanelSettings => ({
    endpoint,
    token,
    intervalSeconds: undefined,
    remoteControl: false,
    remoteFiles: false,
  }));
  return withPanels(withFirst(config, installed), [...installed.panels, ...added]);
}

/** Keeps the first panel and its token. */
function withFirst(config: Config, { endpoint, token }: InstalledPanels): Config {
  const explicitOptions = new Map(config.explicitOptions).set("endpoint", endpoint);
  return { ...config, endpoint, token, explicitOptions };
}

/** Sets the panels beside the first one. */
function withPanels(config: Config, panels: readonly PanelSettings[]): Config {
  const text = JSON.stringify(
    panels.map(({ endpoint, token, intervalSeconds, remoteControl }) => ({
      endpoint,
      token,
      ...(intervalSeconds !== undefined && { interval: intervalSeconds }),
      ...(remoteControl && { enable_remote_control: true }),
    })),
  );
  const tokens = [config.token, ...panels.map(({ token }) => token)];
  return {
    ...config,
    furtherPanels: parsePanels(text),
    explicitOptions: new Map(config.explicitOptions).set("panels", text),
    secrets: [...config.secrets, ...tokens.filter((token) => token !== "")],
  };
}

function replacePanels(config: Config): Config {
  const explicitOptions = new Map(config.explicitOptions);
  // Panels that are given now stay.
  if (config.furtherPanels.length === 0) explicitOptions.delete("panels");
  return { ...config, explicitOptions };
}
