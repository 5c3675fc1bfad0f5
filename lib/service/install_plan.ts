import { attempt } from "../attempt.ts";
import { type Config, releaseFlags } from "../config/config.ts";
import { editConfigText } from "../config/config_edit.ts";
import { configText } from "../config/config_file.ts";
import { proxyVariables } from "../config/environment.ts";
import { hasTag, OPTION_ROWS } from "../config/option_table.ts";
import type { ToolCommand } from "../host/tool_runner.ts";
import { dirname } from "../parse/path.ts";
import { updateFolder } from "../state/update_state.ts";
import { knowsReleases, PROGRAM, releaseKey, VERSION } from "../version.ts";
import { type InstallContext, isLingering } from "./install_context.ts";
import { formatInstallRecord, type InstallRecord } from "./install_record.ts";
import { type FileStep, removeStep, type Step } from "./install_step.ts";
import { readableBy } from "./launchd.ts";
import { panelLines, type PanelOptions } from "./panel_choice.ts";
import { environmentText, hasUpdateService, updateServiceName } from "./service_files.ts";
import { optional, type ServicePlan } from "./service_manager.ts";
import { missingFolders, pathExists } from "./target_system.ts";

/** All steps of an installation, in order. */
export interface InstallPlan {
  readonly service: ServicePlan;
  readonly record: InstallRecord;
  /** Create all files; no service is started or restarted. */
  readonly prepare: readonly Step[];
  /** Start the service, now and at boot. */
  readonly start: readonly Step[];
}

/** Plans an installation without changing anything. */
export function planInstall(config: Config, context: InstallContext): InstallPlan {
  const { system, scope, kind, manager, paths, user, previous } = context;
  const service = planService(config, context);
  const { program, stateFolder, isUpdated } = service;
  const isMacDaemon = kind === "launchd" && scope === "system" && user.name !== "root";
  const settings = planSettings(config, service, { context, isMacDaemon });
  const files: FileStep[] = [
    ...settings,
    // launchd does not create it for a daemon that does not run as root.
    ...(kind === "launchd" && user.name !== ""
      ? [{ do: "file", path: service.logFile, text: "", mode: 0o640, owner: user.name } as const]
      : []),
    ...[...manager.files(service), ...(isUpdated ? manager.updateFiles(service) : [])]
      .map((file): FileStep => ({ do: "file", ...file })),
  ];
  const record = planRecord(config, service, { context, files });
  const stale = previous?.files.filter((path) => !record.files.includes(path)) ?? [];
  const oldPrograms = previous === undefined || previous.program === program
    ? []
    : [previous.program, `${previous.program}.old`];
  // The owner of a folder with other files in it is not changed, and systemd makes its own.
  const makesState = record.trees.includes(stateFolder) &&
    !(kind === "systemd" && scope === "system" && stateFolder === paths.stateFolder);
  const stopsUpdates = !isUpdated && previous !== undefined && hasUpdateService(previous);
  return {
    service,
    record,
    prepare: [
      { do: "folder", path: paths.configFolder, mode: scope === "user" ? 0o700 : 0o755 },
      // While the record still lists its files.
      ...(stopsUpdates ? manager.disableUpdates : []),
      ...stale.map(removeStep),
      // First of all, so that everything created later can be removed.
      { do: "file", path: paths.record, text: formatInstallRecord(record), mode: 0o644 },
      ...user.createCommands,
      { do: "folder", path: dirname(program), mode: 0o755 },
      { do: "copy", path: program, from: system.program.path, mode: 0o755 },
      ...record.links.map((path): Step => ({ do: "link", path, to: program })),
      ...(makesState ? stateFolderSteps(service, context) : []),
      ...oldPrograms.filter((path) => pathExists(system.root + path)).map(removeStep),
      ...files,
      ...(isMacDaemon ? [readableBy(user.name, settings.map(({ path }) => path))] : []),
      ...manager.reload,
    ],
    start: [
      ...manager.restart,
      ...manager.enable,
      ...(isUpdated ? manager.enableUpdates : []),
      ...lingerCommands("enable-linger", context.lingerUser),
    ],
  };
}

/** Describes the service, from the options and the previous installation. */
function planService(config: Config, context: InstallContext): ServicePlan {
  const { system, scope, paths, programFolder, user, deno } = context;
  const { serviceName: name, explicitOptions } = config;
  const program = `${programFolder}/${name}`;
  return {
    ...paths,
    ...{ name, scope, program, deno, user: user.name },
    environmentFile: Object.keys(context.proxies).length > 0 ? paths.environmentFile : undefined,
    stateFolder: explicitOptions.get("state_dir") || paths.stateFolder,
    updateFolder: updateFolder(program),
    sandbox: user.name === "root" && hasRemoteControl(config) ? "none" : context.sandbox,
    usesDevices: config.gpu,
    releaseFlags: releaseFlags(fullPaths(explicitOptions, system.folder)),
    isUpdated: updatesText(config, context) === undefined,
  };
}

/** Why there are no automatic updates; `undefined` when there are. */
function updatesText(
  config: Config,
  { scope, changeableDeno }: InstallContext,
): string | undefined {
  return config.pin
    ? `off: pinned to version ${VERSION}`
    : !config.autoUpdate
    ? "off"
    : !knowsReleases(config)
    ? "off: this build has no release address"
    : releaseKey(config) === ""
    ? "off: this build has no key to verify releases with"
    : scope === "system" && changeableDeno !== undefined
    ? `off: as root they would run Deno, and other users can change ${changeableDeno}`
    : undefined;
}

/** Whether any of the panels has remote control. */
export function hasRemoteControl(config: Config): boolean {
  return [config, ...config.furtherPanels].some(({ remoteControl }) => remoteControl);
}

/** Steps that write the configuration and the proxies. */
function planSettings(
  config: Config,
  { name, scope, user, stateFolder, environmentFile }: ServicePlan,
  { context: { system, paths, proxies }, isMacDaemon }: {
    context: InstallContext;
    isMacDaemon: boolean;
  },
): FileStep[] {
  const hasUsualState = name === PROGRAM && scope === "system";
  const text = serviceConfigText(config, {
    folder: system.folder,
    stateFolder: hasUsualState ? undefined : stateFolder,
  });
  // The service must not write what root decided, such as remote control; all users of a Mac share a
  // group.
  const readers = scope === "system" && user !== "root" && !isMacDaemon
    ? { mode: 0o640, groupOf: user }
    : { mode: 0o600 };
  const file: FileStep = { do: "file", path: paths.config, text, ...readers };
  if (environmentFile === undefined) return [file];
  // A shell of root's sources it, so only root may write it.
  const variables = environmentText(proxyVariables(proxies));
  return [file, { do: "file", path: environmentFile, text: variables, mode: 0o600 }];
}

/** Records what this and previous installations created. */
function planRecord(
  { explicitOptions, pin }: Config,
  service: ServicePlan,
  { context, files }: { context: InstallContext; files: readonly FileStep[] },
): InstallRecord {
  const { system, paths, previous, user } = context;
  const { name, scope, program, config, stateFolder, runtimeFolder, logFile } = service;
  const written = files.map(({ path }) => path).filter((path) => path !== config);
  const links = context.link === "taken" ? [] : [paths.link];
  const folders = [
    dirname(program),
    paths.configFolder,
    ...missingFolders([program, config, stateFolder, ...written, ...links], system),
  ];
  const trees = [
    paths.stateFolder,
    service.updateFolder,
    runtimeFolder,
    // An existing folder may contain files of others.
    ...(isFreeFolder(system.root + stateFolder) ? [stateFolder] : []),
  ];
  const rootOptions = [...fullPaths(explicitOptions, system.folder)].filter(([key]) =>
    hasTag(key, "root")
  );
  return {
    ...{ service: name, manager: context.kind, scope, user: service.user },
    createdUser: user.createCommands.length > 0 || (previous?.createdUser ?? false),
    enabledLinger: context.lingerUser ?? previous?.enabledLinger ?? "",
    ...{ program, config, stateFolder, runtimeFolder, logFile, files: written, links },
    folders: [...new Set([...folders, ...previous?.folders ?? []])],
    // A top-level folder is never removed with everything in it.
    trees: [...new Set([...trees, ...previous?.trees ?? []])]
      .filter((path) => path.split("/").length > 2),
    pinned: pin ? VERSION : "",
    rootOptions: Object.fromEntries(rootOptions),
  };
}

/** Whether a folder is missing or empty. */
function isFreeFolder(path: string): boolean {
  return !pathExists(path) || attempt(() => [...Deno.readDirSync(path)].length) === 0;
}

/**
 * The text of the service's configuration file.
 *
 * It is that of the file that the options come from, edited in place, where there is one. Paths are
 * absolute. `stateFolder` is written only where the agent's default would differ.
 */
export function serviceConfigText(
  { explicitOptions, token, configPath }: Config,
  { folder, stateFolder }: { folder: string; stateFolder: string | undefined },
): string {
  const given = fullPaths(explicitOptions, folder);
  if (token !== "") given.set("token", token);
  if (stateFolder !== undefined) given.set("state_dir", stateFolder);
  const before = configPath && attempt(() => Deno.readTextFileSync(configPath));
  return before ? editConfigText(before, given) : configText(given);
}

/** Makes relative paths absolute, since a service starts in another folder than `folder`. */
function fullPaths(
  given: ReadonlyMap<string, string>,
  folder: string,
): Map<string, string> {
  return new Map(Array.from(given, ([key, text]) => {
    const { placeholder = "" } = OPTION_ROWS.find((row) => row.key === key) ?? {};
    const isPath = ["FILE", "FOLDER"].includes(placeholder) && text !== "";
    return [key, isPath && !text.startsWith("/") ? `${folder}/${text}` : text];
  }));
}

/** The owner of a step's file; none in a user's own installation. */
export function ownedBy(user: string): { owner?: string } {
  return user === "" ? {} : { owner: user };
}

/** Makes the state folder; state of a service of root, or of a removed user, becomes the user's. */
function stateFolderSteps(
  { user, stateFolder }: ServicePlan,
  { system: { root }, previous }: InstallContext,
): Step[] {
  const isOthers = user !== "root" && user !== "" &&
    (previous === undefined
      ? pathExists(root + stateFolder)
      : previous.user === "root" && previous.stateFolder === stateFolder);
  return [
    { do: "folder", path: stateFolder, mode: 0o700, ...ownedBy(user) },
    // -h: links are not followed.
    ...(isOthers ? [{ tool: "chown", args: ["-hR", `${user}:`, stateFolder] }] : []),
  ];
}

/** Keeps a user's services running after his logout, or not; nothing without a user. */
export function lingerCommands(
  verb: "enable-linger" | "disable-linger",
  user: string | undefined,
): ToolCommand[] {
  if (!user) return [];
  return [optional({ tool: "loginctl", args: ["--no-ask-password", verb, user] })];
}

/** Prints what was installed, where, and what the user should know about it. */
export function printSummary(
  { service, record }: InstallPlan,
  config: Config,
  { context, installed }: { context: InstallContext; installed: readonly PanelOptions[] },
): void {
  const { system, scope, kind, manager, paths, link, lingerUser } = context;
  const { name, program, stateFolder, user } = service;
  const isCommand = record.links.length > 0;
  const ofService = name === PROGRAM ? "" : ` --install-service-name ${name}`;
  const command = isCommand && scope === "system" ? name : program;
  const shown = scope === "user"
    ? `${name} (${kind}), of this user`
    : `${name} (${kind}), as user ${user}`;
  const updates = updatesText(config, context) ?? `every 6 h, by ${updateServiceName(name)}`;
  const lines = [
    `Installed ${PROGRAM} ${VERSION}:`,
    `  Program        ${program}`,
    `  Configuration  ${service.config}`,
    ...panelLines(config, installed),
    `  Service        ${shown}`,
    `  Updates        ${updates}`,
    `  Log            ${manager.logHint}`,
    `  Uninstall      ${command} uninstall${ofService}`,
    isCommand && scope === "user" && `  Command        ${paths.link}`,
    link === "new folder" && scope === "user" &&
    `  ${dirname(paths.link)} is new: log in again, so that it is in the PATH`,
    link === "taken" && `  ${paths.link} was not created: another file has that name`,
    lingerUser !== undefined && !isLingering(lingerUser, system) &&
    `  The service stops when you log out; to keep it, root runs: loginctl enable-linger ${lingerUser}`,
    !record.trees.includes(stateFolder) &&
    `  ${stateFolder} existed before: make sure that the service may write to it`,
    service.sandbox === "no mounts" &&
    "  Sandbox: partial; this machine allows no mount namespaces for services",
    hasRemoteControl(config) && scope === "system" && user !== "root" &&
    "  Remote control runs as that user, not as root; see --as-root",
  ];
  for (const line of lines) if (line !== false) system.printLine(line);
}
