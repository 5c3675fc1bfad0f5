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
 * reports to all of them, with `--replace-panel` only to the one given.
 *
 * @throws {UsageError} When neither is given, or `--add` can't be done.
 */
export function choosePanels(config: Config, installed: InstalledPanels | undefined): Config {
  if (installed === undefined || installed.endpoint === "") return config;
  const endpoints = [installed.endpoint, ...installed.panels.map(({ endpoint }) => endpoint)];
  if (endpoints.includes(config.endpoint)) return config;
  if (config.addPanel) return addPanels(config, installed);
  if (config.replacePanel) return replacePanels(config);
  throw new UsageError(
    `Cannot install for ${config.endpoint}: the service reports to ${endpoints.join(", ")}; use ` +
      "--add to report to both, or --replace-panel to report only to the new one",
  );
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
  const added = [config, ...config.furtherPanels].map(({ endpoint, token }) => ({
    endpoint,
    token,
  }));
  const before = installed.panels.map(({ endpoint, token, intervalSeconds, remoteControl }) => ({
    endpoint,
    token,
    ...(intervalSeconds !== undefined && { interval: intervalSeconds }),
    ...(remoteControl && { enable_remote_control: true }),
  }));
  const text = JSON.stringify([...before, ...added]);
  const explicitOptions = new Map(config.explicitOptions);
  explicitOptions.set("endpoint", installed.endpoint);
  explicitOptions.set("panels", text);
  const tokens = [installed.token, ...before.map(({ token }) => token)];
  return {
    ...config,
    endpoint: installed.endpoint,
    token: installed.token,
    furtherPanels: parsePanels(text),
    explicitOptions,
    secrets: [...config.secrets, ...tokens.filter((token) => token !== "")],
  };
}

function replacePanels(config: Config): Config {
  const explicitOptions = new Map(config.explicitOptions);
  // Panels that are given now stay.
  if (config.furtherPanels.length === 0) explicitOptions.delete("panels");
  return { ...config, explicitOptions };
}
