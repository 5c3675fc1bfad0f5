import { type Config, releaseFlags } from "../config/config.ts";
import { configText, ROOT_KEYS } from "../config/config_file.ts";
import type { Option } from "../config/option.ts";
import { OPTIONS } from "../config/option_table.ts";
import { updateFolder } from "../state/update_state.ts";
import { dirname } from "../parse/path.ts";
import { knowsReleases, releaseKey } from "../version.ts";
import type { InstallContext } from "./install_context.ts";
import { formatInstallRecord, type InstallRecord } from "./install_record.ts";
import { commandStep, type Step } from "./install_step.ts";
import { serviceManager } from "./managers.ts";
import { environmentText } from "./service_environment.ts";
import type { ServiceManager, ServicePlan } from "./service_manager.ts";
import { missingFolders, pathExists, scopeOf, type TargetSystem } from "./target_system.ts";
import { hasUpdateService } from "./update_service.ts";

const ROWS: readonly Option<unknown>[] = Object.values(OPTIONS);

/** All steps of an installation, in order. */
export interface InstallPlan {
  readonly service: ServicePlan;
  readonly record: InstallRecord;
  readonly manager: ServiceManager;
  /** Create all files; no service is started or restarted. */
  readonly prepare: readonly Step[];
  /** Start the service, now and at boot. */
  readonly start: readonly Step[];
}

/** Plans an installation without changing anything. */
export function planInstall(
  config: Config,
  system: TargetSystem,
  context: InstallContext,
): InstallPlan {
  const service = planService(config, system, context);
  const { name, scope, logFile, isUpdated } = service;
  const { home, uid } = system;
  const manager = serviceManager(context.kind, { name, scope, logFile, home, uid });
  const files = planFileSteps(config, service, { system, context, manager });
  const record = planRecord(service, { given: config.explicitOptions, system, context, files });
  const { previous } = context;
  const stale = previous?.files.filter((path) => !record.files.includes(path)) ?? [];
  const oldProgram = previous?.program === service.program ? undefined : previous?.program;
  const { configFolder, record: recordPath } = context.paths;
  const owner = service.user;
  return {
    service,
    record,
    manager,
    prepare: [
      { do: "folder", path: configFolder, mode: scope === "user" ? 0o700 : 0o755 },
      ...(isUpdated ? [] : disableUpdateSteps(manager, { previous })),
      ...stale.map(removeStep),
      // First of all, so that everything created later can be removed.
      { do: "file", path: recordPath, text: formatInstallRecord(record), mode: 0o644 },
      ...context.user.createCommands.map(commandStep),
      { do: "folder", path: dirname(service.program), mode: 0o755 },
      { do: "copy", path: service.program, from: system.program.path, mode: 0o755 },
      ...record.links.map((path): Step => ({ do: "link", path, to: service.program })),
      // The owner of a folder with other files in it is not changed.
      ...(isManagedStateFolder(service, context) || !record.trees.includes(service.stateFolder)
        ? []
        : [
          { do: "folder", path: service.stateFolder, mode: 0o700, ...ownedBy(owner) } as const,
          ...changeStateOwner(service, { previous, system }),
        ]),
      ...(oldProgram === undefined ? [] : [removeStep(oldProgram)]),
      ...files,
      ...manager.reload.map(commandStep),
    ],
    start: [...manager.restart, ...manager.enable(service), ...lingerSteps(context)].map(
      commandStep,
    ),
  };
}

/** Describes the service, from the options and the previous installation. */
export function planService(
  config: Config,
  system: TargetSystem,
  context: InstallContext,
): ServicePlan {
  const { paths, user, previous, deno } = context;
  const { installDir, serviceName, explicitOptions, proxies, autoUpdate } = config;
  const hasProxies = Object.keys(proxies).length > 0 ||
    (previous?.files.includes(paths.environmentFile) ?? false);
  const folder = installDir || dirname(previous?.program ?? "") || paths.programFolder;
  const program = `${folder}/${serviceName}`;
  const stateFolder = explicitOptions.get("state_dir") || paths.stateFolder;
  const isUpdated = autoUpdate && knowsReleases(config) && releaseKey(config) !== "" &&
    hasUpdateJob(context, system);
  return {
    name: serviceName,
    scope: scopeOf(system),
    program,
    config: paths.config,
    environmentFile: hasProxies ? paths.environmentFile : undefined,
    updateEnvironmentFile: hasProxies && isUpdated ? updateEnvironmentFile(context) : undefined,
    user: user.name,
    stateFolder,
    updateFolder: updateFolder(program),
    runtimeFolder: paths.runtimeFolder,
    logFile: paths.logFile,
    deno,
    sandbox: user.name === "root" && hasRemoteControl(config) ? "none" : context.sandbox,
    usesDevices: config.gpu,
    releaseFlags: releaseFlags(fullPaths(explicitOptions, system.folder)),
    isUpdated,
  };
}

/** Whether any of the panels has remote control. */
export function hasRemoteControl(config: Pick<Config, "remoteControl" | "furtherPanels">): boolean {
  return [config, ...config.furtherPanels].some(({ remoteControl }) => remoteControl);
}

/** Whether a timer or a second service updates the program; as root only with a Deno of root's. */
function hasUpdateJob({ changeableDeno }: InstallContext, system: TargetSystem): boolean {
  return changeableDeno === undefined || scopeOf(system) === "user";
}

/** Root must not source a file that the service's user may write. */
function updateEnvironmentFile({ kind, user, paths }: InstallContext): string {
  const isUsers = kind === "launchd" && user.name !== "";
  return isUsers ? paths.updateEnvironmentFile : paths.environmentFile;
}

/** Records what this and previous installations created. */
export function planRecord(
  service: ServicePlan,
  { given, system, context, files }: {
    given: ReadonlyMap<string, string>;
    system: TargetSystem;
    context: InstallContext;
    files: readonly Step[];
  },
): InstallRecord {
  const { paths, previous, kind, user } = context;
  const { program, config, stateFolder, runtimeFolder, logFile } = service;
  const { environmentFile, updateEnvironmentFile } = service;
  const written = new Set(files.flatMap((step) => step.do === "file" ? [step.path] : []));
  for (const path of [environmentFile, updateEnvironmentFile]) {
    if (path !== undefined) written.add(path);
  }
  written.delete(config);
  const links = context.link === "free" ? [paths.link] : [];
  const folders = missingFolders([program, config, stateFolder, ...written, ...links], system);
  const trees = [
    paths.stateFolder,
    service.updateFolder,
    runtimeFolder,
    // An existing folder may contain files of others.
    ...(isFreeFolder(system.root + stateFolder) ? [stateFolder] : []),
  ];
  return {
    service: service.name,
    manager: kind,
    scope: service.scope,
    user: service.user,
    createdUser: user.createCommands.length > 0 || (previous?.createdUser ?? false),
    enabledLinger: context.lingerUser ?? previous?.enabledLinger ?? "",
    program,
    config,
    stateFolder,
    runtimeFolder,
    logFile,
    files: [...written],
    links,
    folders: [
      ...new Set([dirname(program), paths.configFolder, ...folders, ...previous?.folders ?? []]),
    ],
    trees: [...new Set([...trees, ...previous?.trees ?? []])],
    rootOptions: Object.fromEntries(
      Array.from(fullPaths(given, system.folder)).filter(([key]) => ROOT_KEYS.includes(key)),
    ),
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

/** Steps that write the configuration, the proxies and the service manager's files. */
export function planFileSteps(
  config: Config,
  service: ServicePlan,
  { system, context, manager }: {
    system: TargetSystem;
    context: InstallContext;
    manager: ServiceManager;
  },
): Step[] {
  const { paths, kind } = context;
  const { http, https, none } = config.proxies;
  const variables = {
    ...(http !== undefined && { HTTP_PROXY: http }),
    ...(https !== undefined && { HTTPS_PROXY: https }),
    ...(none !== undefined && { NO_PROXY: none }),
  };
  const proxies = environmentText(variables);
  const text = serviceConfigText(config, {
    folder: system.folder,
    stateFolder: service.name === "komari-agent-deno" && service.scope === "system"
      ? undefined
      : service.stateFolder,
  });
  const { user } = service;
  return [
    { do: "file", path: paths.config, text, ...configAccess(context.user) },
    // A file of the previous installation stays when no proxies are given now.
    ...(Object.keys(variables).length === 0 ? [] : [
      {
        do: "file",
        path: paths.environmentFile,
        text: proxies,
        mode: 0o600,
        // Other managers source it in a root shell, so only root may write it.
        ...(kind === "launchd" && ownedBy(user)),
      } as const,
      ...updateEnvironmentStep(service, { text: proxies }),
    ]),
    // launchd does not create it for a daemon that does not run as root.
    ...(kind === "launchd" && user !== ""
      ? [{ do: "file", path: service.logFile, text: "", mode: 0o640, ...ownedBy(user) } as const]
      : []),
    ...manager.files(service).map((file): Step => ({ do: "file", ...file })),
  ];
}

/**
 * The text of the service's configuration file.
 *
 * Paths are absolute. `stateFolder` is written only where the agent's default would differ.
 */
export function serviceConfigText(
  { explicitOptions, token }: Pick<Config, "explicitOptions" | "token">,
  { folder, stateFolder }: { folder: string; stateFolder: string | undefined },
): string {
  const given = fullPaths(explicitOptions, folder);
  if (token !== "") given.set("token", token);
  if (stateFolder !== undefined) given.set("state_dir", stateFolder);
  return configText(given);
}

/** Makes relative paths absolute, since a service starts in another folder than `folder`. */
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

/** The update job reads its own copy where the service's user owns the first. */
function updateEnvironmentStep(
  { environmentFile, updateEnvironmentFile: path }: ServicePlan,
  { text }: { text: string },
): Step[] {
  if (path === undefined || path === environmentFile) return [];
  return [{ do: "file", path, text, mode: 0o600 }];
}

/**
 * Who may read and write the configuration: the service must not write it, since it holds what root
 * decided, such as remote control.
 */
function configAccess({ name, hasOwnGroup }: InstallContext["user"]) {
  if (hasOwnGroup) return { mode: 0o640, groupOf: name };
  return { mode: 0o600, ...ownedBy(name) };
}

/** The owner of a step's file; none in a user's own installation. */
export function ownedBy(user: string): { owner?: string } {
  return user === "" ? {} : { owner: user };
}

/** Whether the service manager creates the state folder with the right owner. */
export function isManagedStateFolder(
  service: ServicePlan,
  { kind, paths }: InstallContext,
): boolean {
  return kind === "systemd" && service.scope === "system" &&
    service.stateFolder === paths.stateFolder;
}

/** Stops the update job while the record still lists its files. */
function disableUpdateSteps(
  { disableUpdates }: ServiceManager,
  { previous }: Pick<InstallContext, "previous">,
): Step[] {
  return previous !== undefined && hasUpdateService(previous)
    ? disableUpdates.map(commandStep)
    : [];
}

function removeStep(path: string): Step {
  return { do: "remove", path };
}

/** Makes state of a service of root, or of a removed user, readable for the service's user. */
function changeStateOwner(
  { user, stateFolder }: ServicePlan,
  { previous, system: { root } }: Pick<InstallContext, "previous"> & {
    system: Pick<TargetSystem, "root">;
  },
): Step[] {
  if (user === "root" || user === "") return [];
  const isNeeded = previous === undefined
    ? pathExists(root + stateFolder)
    : previous.user === "root" && previous.stateFolder === stateFolder;
  // -h: links are not followed.
  return isNeeded ? [commandStep({ tool: "chown", args: ["-hR", `${user}:`, stateFolder] })] : [];
}

function lingerSteps({ lingerUser }: InstallContext) {
  if (lingerUser === undefined) return [];
  const args = ["--no-ask-password", "enable-linger", lingerUser];
  return [{ tool: "loginctl", args, mayFail: true }];
}
