import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { readConfigFile } from "../config/config_file.ts";
import { panelName, panelNames } from "../config/panels.ts";
import { type PanelSettings, panelsText, parsePanels } from "../config/parsers.ts";
import { UsageError } from "../config/usage_error.ts";
import { foreignOwner } from "./install_record.ts";

/**
 * A panel as a configuration has it: `intervalSeconds` is its own, and the token is empty where the
 * node registers itself.
 */
export type PanelOptions = Omit<PanelSettings, "remoteFiles">;

/**
 * Reads the panels of an installed configuration, that of `endpoint` first; none when there is no
 * such file, or it is another user's, who could have written any rights and tokens into it.
 *
 * @throws {Error} When it can't be read or is invalid.
 */
export function readInstalledPanels(path: string): readonly PanelOptions[] {
  try {
    if (foreignOwner(path) !== undefined) return [];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  const readText = (path: string) => Deno.readTextFileSync(path);
  const options = readConfigFile(path, { option: "the installed configuration", readText });
  const further = parsePanels(options.get("panels") ?? "[]");
  const endpoint = options.get("endpoint");
  if (endpoint === undefined) return further;
  const ofFile = attempt(() => readText(options.get("token_file") ?? "").trim());
  const first = {
    endpoint,
    token: options.get("token") ?? ofFile ?? "",
    intervalSeconds: undefined,
    remoteControl: options.get("enable_remote_control") === "true",
  };
  return [first, ...further];
}

/**
 * The panels of an installation: those that are given now, or the installed ones where none is. A pair
 * of the command line keeps what the service has for that panel: its token unless it is given
 * another one, its interval and its remote control.
 *
 * @throws {UsageError} When it is unclear which panel is meant, or one has no token.
 */
export function choosePanels(config: Config, installed: readonly PanelOptions[]): Config {
  const isGiven = (key: string) => /^(?:flag|variable) /.test(config.origins.get(key) ?? "");
  const key = ["token", "token_file"].find(isGiven);
  if (!config.givesPanels && key !== undefined && config.furtherPanels.length > 0) {
    const origin = config.origins.get(key);
    throw new UsageError(
      `Cannot use ${origin} without --endpoint: the service reports to several panels`,
    );
  }
  // A file, or the variable of all panels, says everything of them.
  const ofVariable = config.origins.get("panels")?.startsWith("variable ");
  if (!config.givesPanels || !isGiven("endpoint") || ofVariable) return config;
  const chosen = [config, ...config.furtherPanels].map((given, at): PanelOptions => {
    const { endpoint, token } = given;
    const before = installedPanel(given, installed);
    if (token === "" && before === undefined && !(at === 0 && isGiven("auto_discovery_key"))) {
      throw new UsageError(
        `Cannot install for ${endpoint} without its token: the service does not report to it yet`,
      );
    }
    return {
      endpoint,
      token: token || (before?.token ?? ""),
      intervalSeconds: isGiven("interval") ? undefined : before?.intervalSeconds,
      remoteControl: isGiven("enable_remote_control")
        ? config.enableRemoteControl && at === 0
        : before?.remoteControl ?? false,
    };
  });
  const registers = chosen.some(({ token }) => token === "");
  const unused = ["auto_discovery_key", "auto_discovery_file", "rediscover"].filter((key) =>
    !registers && !isGiven(key)
  );
  const explicitOptions = [...config.explicitOptions].filter(([key]) => !unused.includes(key));
  return withPanels({ ...config, explicitOptions: new Map(explicitOptions) }, chosen);
}

/** The installed panel of a given one: of the same token, or else of the same address. */
function installedPanel(
  { endpoint, token }: Pick<PanelSettings, "endpoint" | "token">,
  installed: readonly PanelOptions[],
): PanelOptions | undefined {
  const same = installed.filter((panel) => panel.endpoint === endpoint);
  return same.find((panel) => panel.token === token) ?? same[0];
}

/** What becomes of each panel, a line each. */
export function panelLines(config: Config, installed: readonly PanelOptions[]): string[] {
  const panels = [config, ...config.furtherPanels];
  const names = panelNames(panels);
  const texts = panels.map((panel, at) => {
    if (installed.length === 0) return names[at];
    const before = installedPanel(panel, installed);
    if (before === undefined) return `${names[at]}, new`;
    return before.token === panel.token
      ? `${names[at]}, as before`
      : `${names[at]}, with another token`;
  });
  const gone = installed.filter(({ endpoint }) => !panels.some((it) => it.endpoint === endpoint));
  return [...texts, ...gone.map((panel) => `${panelName(panel)}, dropped`)]
    .map((text) => `  Panel          ${text}`);
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
  const texts: readonly (readonly [key: string, text: string | undefined])[] = [
    ["endpoint", first.endpoint],
    ["enable_remote_control", first.remoteControl ? "true" : undefined],
    ["interval", first.intervalSeconds?.toString() ?? config.explicitOptions.get("interval")],
    ["panels", further.length === 0 ? undefined : panelsText(further)],
  ];
  const explicitOptions = new Map(config.explicitOptions);
  for (const [key, text] of texts) {
    if (text === undefined) explicitOptions.delete(key);
    else explicitOptions.set(key, text);
  }
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
