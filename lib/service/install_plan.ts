import { attempt } from "../attempt.ts";
import { type Config, releaseFlags } from "../config/config.ts";
import { editConfigText } from "../config/config_edit.ts";
import { configText } from "../config/config_file.ts";
import { proxyVariables } from "../config/environment.ts";
import { hasTag, OPTION_ROWS } from "../config/option_table.ts";
import type { ToolCommand } from "../host/tool_runner.ts";
import { updateFolder } from "../state/update_state.ts";
import { dirname } from "../parse/path.ts";
import { knowsReleases, PROGRAM, releaseKey, VERSION } from "../version.ts";
import type { InstallContext } from "./install_context.ts";
import { formatInstallRecord, type InstallRecord } from "./install_record.ts";
import { type FileStep, removeStep, type Step } from "./install_step.ts";
import { environmentText } from "./service_environment.ts";
import { readableBy } from "./launchd.ts";
import { optional, type ServicePlan } from "./service_manager.ts";
import { missingFolders, pathExists } from "./target_system.ts";
import { hasUpdateService } from "./update_service.ts";

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
  const { system, scope, manager, paths, user, previous } = context;
  const service = planService(config, context);
  const { program, stateFolder, isUpdated } = service;
  const files = planFiles(config, service, context);
  const readFiles = [paths.config, ...(hasProxies(context) ? [paths.environmentFile] : [])];
  const record = planRecord(config, service, { context, files });
  const stale = previous?.files.filter((path) => !record.files.includes(path)) ?? [];
  const oldPrograms = previous === undefined || previous.program === program
    ? []
    : [previous.program, `${previous.program}.old`];
  // The owner of a folder with other files in it is not changed, and systemd makes its own.
  const makesState = !(context.kind === "systemd" && scope === "system" &&
    stateFolder === paths.stateFolder) && record.trees.includes(stateFolder);
  const stopsUpdates = !isUpdated && previous !== undefined && hasUpdateService(previous);
  const start = [
    ...manager.restart,
    ...manager.enable,
    ...(isUpdated ? manager.enableUpdates : []),
    ...lingerCommands("enable-linger", context.lingerUser),
  ];
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
      ...(isMacDaemon(service, context) ? [readableBy(user.name, readFiles)] : []),
      ...manager.reload,
    ],
    start,
  };
}

/** Describes the service, from the options and the previous installation. */
function planService(config: Config, context: InstallContext): ServicePlan {
  const { system, scope, paths, programFolder, user, deno } = context;
  const { serviceName, explicitOptions } = config;
  const program = `${programFolder}/${serviceName}`;
  // As root only with a Deno of root's.
  const mayUpdate = scope === "user" || context.changeableDeno === undefined;
  const isUpdated = config.autoUpdate && !config.pin && knowsReleases(config) &&
    releaseKey(config) !== "" &&
    mayUpdate;
  return {
    ...paths,
    name: serviceName,
    scope,
    program,
    environmentFile: hasProxies(context) ? paths.environmentFile : undefined,
    user: user.name,
    stateFolder: explicitOptions.get("state_dir") || paths.stateFolder,
    updateFolder: updateFolder(program),
    deno,
    sandbox: user.name === "root" && hasRemoteControl(config) ? "none" : context.sandbox,
    usesDevices: config.gpu,
    releaseFlags: releaseFlags(fullPaths(explicitOptions, system.folder)),
    isUpdated,
  };
}

function hasProxies({ proxies }: InstallContext): boolean {
  return Object.keys(proxies).length > 0;
}

/** Whether any of the panels has remote control. */
export function hasRemoteControl(config: Config): boolean {
  return [config, ...config.furtherPanels].some(({ remoteControl }) => remoteControl);
}

/** Records what this and previous installations created. */
function planRecord(
  { explicitOptions, pin }: Config,
  service: ServicePlan,
  { context, files }: { context: InstallContext; files: readonly FileStep[] },
): InstallRecord {
  const { system, paths, previous, user } = context;
  const { program, config, stateFolder, runtimeFolder, logFile } = service;
  const written = files.map(({ path }) => path).filter((path) => path !== config);
  const links = ["free", "new folder"].includes(context.link) ? [paths.link] : [];
  const folders = missingFolders([program, config, stateFolder, ...written, ...links], system);
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
    service: service.name,
    manager: context.kind,
    scope: service.scope,
    user: service.user,
    createdUser: user.createCommands.length > 0 || (previous?.createdUser ?? false),
    enabledLinger: context.lingerUser ?? previous?.enabledLinger ?? "",
    program,
    config,
    stateFolder,
    runtimeFolder,
    logFile,
    files: written,
    links,
    folders: [
      ...new Set([dirname(program), paths.configFolder, ...folders, ...previous?.folders ?? []]),
    ],
    trees: [...new Set([...trees, ...previous?.trees ?? []])],
    pinned: pin ? VERSION : "",
    rootOptions: Object.fromEntries(rootOptions),
  };
}

/** Whether a folder is missing or empty. */
function isFreeFolder(path: string): boolean {
  try {
    return Deno.readDirSync(path)[Symbol.iterator]().next().done ?? false;
  } catch (error) {
    return error instanceof Deno.errors.NotFound;
  }
}

/** Whether it is a daemon of launchd with a user other than root: all users of a Mac share a group. */
function isMacDaemon({ scope, user }: ServicePlan, { kind }: InstallContext): boolean {
  return kind === "launchd" && scope === "system" && user !== "root";
}

/** Steps that write the configuration, the proxies and the service manager's files. */
function planFiles(config: Config, service: ServicePlan, context: InstallContext): FileStep[] {
  const { system, paths, kind, manager, user: { name: user } } = context;
  const hasUsualState = service.name === PROGRAM && service.scope === "system";
  const text = serviceConfigText(config, {
    folder: system.folder,
    stateFolder: hasUsualState ? undefined : service.stateFolder,
  });
  // The service must not write what root decided, such as remote control.
  const isForGroup = service.scope === "system" && user !== "root" &&
    !isMacDaemon(service, context);
  const readers = isForGroup ? { mode: 0o640, groupOf: user } : { mode: 0o600 };
  const steps: FileStep[] = [{ do: "file", path: paths.config, text, ...readers }];
  if (hasProxies(context)) {
    // A shell of root's sources it, so only root may write it.
    const proxies = environmentText(proxyVariables(context.proxies));
    steps.push({ do: "file", path: paths.environmentFile, text: proxies, mode: 0o600 });
  }
  if (kind === "launchd" && user !== "") {
    // launchd does not create it for a daemon that does not run as root.
    steps.push({ do: "file", path: service.logFile, text: "", mode: 0o640, owner: user });
  }
  const managed = [...manager.files(service)];
  if (service.isUpdated) managed.push(...manager.updateFiles(service));
  steps.push(...managed.map((file): FileStep => ({ do: "file", ...file })));
  return steps;
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
