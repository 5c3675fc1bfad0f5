import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { readConfigFile } from "../config/config_file.ts";
import type { OptionTexts } from "../config/option.ts";
import { hasTag } from "../config/option_table.ts";
import { panelName, panelNames } from "../config/panels.ts";
import { type PanelSettings, panelsText, parsePanels } from "../config/parsers.ts";
import { UsageError } from "../config/usage_error.ts";

/** What a configuration says of a panel. */
type PanelOptions = Omit<PanelSettings, "remoteFiles">;

/** The panels that an installed service reports to. */
export interface InstalledPanels {
  /**
   * The first one is that of `endpoint`. `intervalSeconds` is what a panel has of its own; the token
   * is empty where the node registers itself.
   */
  readonly panels: readonly PanelOptions[];
  /** The options that say so. */
  readonly texts: OptionTexts;
}

/**
 * Reads the panels of an installed configuration; `undefined` when there is none, or it is another
 * user's.
 *
 * @throws {Error} When it can't be read or is invalid.
 */
export function readInstalledPanels(path: string): InstalledPanels | undefined {
  try {
    const { uid } = Deno.statSync(path);
    // Another user could have written any rights and tokens into it.
    if (uid !== null && uid !== 0 && uid !== Deno.uid()) return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const readText = (path: string) => Deno.readTextFileSync(path);
  const options = readConfigFile(path, { option: "the installed configuration", readText });
  const endpoint = options.get("endpoint");
  const tokenFile = options.get("token_file");
  const isControlled = options.get("enable_remote_control") === "true";
  const first = {
    endpoint: endpoint ?? "",
    token: options.get("token") ??
      (tokenFile === undefined ? "" : attempt(() => readText(tokenFile).trim()) ?? ""),
    intervalSeconds: undefined,
    remoteControl: isControlled,
  };
  return {
    panels: [
      ...(endpoint === undefined ? [] : [first]),
      ...parsePanels(options.get("panels") ?? "[]"),
    ],
    texts: new Map([...options].filter(([key]) => hasTag(key, "panel"))),
  };
}

/**
 * The panels of an installation: those that are given now, or the installed ones where none is. A pair
 * of the command line keeps what the service has for that panel: its token unless it is given
 * another one, its interval and its remote control.
 *
 * @throws {UsageError} When it is unclear which panel is meant, or one has no token.
 */
export function choosePanels(config: Config, installed: InstalledPanels | undefined): Config {
  const { origins } = config;
  if (!config.givesPanels) {
    const token = [origins.get("token"), origins.get("token_file")].find(isOfShell);
    if (token === undefined || config.furtherPanels.length === 0) return config;
    throw new UsageError(
      `Cannot use ${token} without --endpoint: the service reports to several panels`,
    );
  }
  // A file, or the variable of all panels, says everything of them.
  if (!isOfShell(origins.get("endpoint")) || origins.get("panels")?.startsWith("variable ")) {
    return config;
  }
  const given = [config, ...config.furtherPanels];
  const known = knownPanels(given, installed?.panels ?? []);
  const setsControl = isOfShell(origins.get("enable_remote_control"));
  const setsInterval = isOfShell(origins.get("interval"));
  const chosen = given.map(({ endpoint, token }, at): PanelOptions => {
    const before = known[at];
    const registers = at === 0 && config.autoDiscoveryKey !== "";
    if (token === "" && before === undefined && !registers) {
      throw new UsageError(
        `Cannot install for ${endpoint} without its token: the service does not report to it yet`,
      );
    }
    return {
      endpoint,
      token: token || (before?.token ?? ""),
      intervalSeconds: setsInterval ? undefined : before?.intervalSeconds,
      remoteControl: setsControl
        ? config.enableRemoteControl && at === 0
        : before?.remoteControl ?? false,
    };
  });
  return withPanels(withRegistration(config, chosen, installed?.texts ?? new Map()), chosen);
}

/** The configuration without some of its panels. */
export function withoutPanels(config: Config, left: readonly PanelSettings[]): Config {
  const remoteControl = config.enableRemoteControl || config.remoteControl;
  const panels = [config, ...config.furtherPanels].filter((panel) => !left.includes(panel))
    .map((panel) => panel === config ? { ...panel, remoteControl } : panel);
  return withPanels(config, panels);
}

/** Whether the service has this node of a panel already. */
export function isInstalled(
  { endpoint, token }: PanelSettings,
  installed: InstalledPanels | undefined,
): boolean {
  return installed?.panels.some((it) => it.endpoint === endpoint && it.token === token) ?? false;
}

/** What becomes of each panel, a line each. */
export function panelLines(config: Config, installed: InstalledPanels | undefined): string[] {
  const panels = [config, ...config.furtherPanels];
  const known = knownPanels(panels, installed?.panels ?? []);
  const isFirst = installed === undefined || installed.panels.length === 0;
  const names = panelNames(panels);
  const texts = panels.map((panel, at) => {
    const name = names[at] ?? "";
    if (isFirst) return name;
    const before = known[at];
    if (before === undefined) return `${name}, new`;
    return before.token === panel.token ? `${name}, as before` : `${name}, with another token`;
  });
  const gone = installed?.panels.filter((panel) => !known.includes(panel)) ?? [];
  return [...texts, ...gone.map((panel) => `${panelName(panel)}, dropped`)]
    .map((text) => `  Panel          ${text}`);
}

/** Whether an option comes from the command line or a variable. */
function isOfShell(origin = ""): boolean {
  return /^(?:flag|variable) /.test(origin);
}

/**
 * The installed panel of each given one: of the same token, or else of the same address.
 *
 * @throws {UsageError} When several nodes at one panel are installed, and no token says which is meant.
 */
function knownPanels(
  given: readonly Pick<PanelSettings, "endpoint" | "token">[],
  installed: readonly PanelOptions[],
): (PanelOptions | undefined)[] {
  const free = new Set(installed);
  const take = (panel: PanelOptions | undefined) => {
    if (panel !== undefined) free.delete(panel);
    return panel;
  };
  return given
    .map(({ endpoint, token }) =>
      take([...free].find((panel) => panel.endpoint === endpoint && panel.token === token))
    )
    .map((same, at) => {
      const { endpoint = "", token = "" } = given[at] ?? {};
      const candidates = [...free].filter((panel) => panel.endpoint === endpoint);
      if (same === undefined && token === "" && candidates.length > 1) {
        throw new UsageError(
          `Cannot install for ${endpoint} without a token: the service reports to it as ` +
            `${candidates.length} nodes`,
        );
      }
      return same ?? take(candidates[0]);
    });
}

/** Keeps the options of a node that registers itself, if it stays. */
function withRegistration(
  config: Config,
  chosen: readonly PanelOptions[],
  texts: OptionTexts,
): Config {
  const key = texts.get("auto_discovery_key") ?? "";
  if (key === "" || config.autoDiscoveryKey !== "" || chosen.every(({ token }) => token !== "")) {
    return config;
  }
  const kept = [...texts].filter(([key]) => /^(?:auto_discovery_|rediscover)/.test(key));
  return {
    ...config,
    autoDiscoveryKey: key,
    explicitOptions: new Map([...kept, ...config.explicitOptions]),
    secrets: [...config.secrets, key],
  };
}

/**
 * Sets all panels. The first one's interval is also that of the others that have none, so one that has
 * none of its own comes first if there is any, and before it only a node that registers itself.
 */
function withPanels(config: Config, panels: readonly PanelOptions[]): Config {
  const place = ({ token, intervalSeconds }: PanelOptions) =>
    token === "" ? 0 : intervalSeconds === undefined ? 1 : 2;
  const [first, ...further] = panels.toSorted((a, b) => place(a) - place(b));
  if (first === undefined) return config;
  const explicitOptions = new Map(config.explicitOptions).set("endpoint", first.endpoint);
  const set = (key: string, text: string | undefined) =>
    text === undefined ? explicitOptions.delete(key) : explicitOptions.set(key, text);
  set("enable_remote_control", first.remoteControl ? "true" : undefined);
  set("panels", further.length === 0 ? undefined : panelsText(further));
  if (first.intervalSeconds !== undefined) set("interval", String(first.intervalSeconds));
  const inForce = (panel: PanelOptions): PanelSettings => {
    const remoteControl = panel.remoteControl && !config.disableWebSsh;
    return {
      ...panel,
      intervalSeconds: panel.intervalSeconds ?? first.intervalSeconds ?? config.intervalSeconds,
      remoteControl,
      remoteFiles: remoteControl && !config.disableRemoteFiles,
    };
  };
  return {
    ...config,
    ...inForce(first),
    enableRemoteControl: first.remoteControl,
    furtherPanels: further.map(inForce),
    explicitOptions,
    secrets: [...config.secrets, ...panels.map(({ token }) => token).filter((it) => it !== "")],
  };
}
