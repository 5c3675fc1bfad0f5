import { attempt } from "../attempt.ts";
import { type Config, releaseFlags } from "../config/config.ts";
import { requireCredentials } from "../config/credentials.ts";
import { hasTag } from "../config/option_table.ts";
import { UsageError } from "../config/usage_error.ts";
import type { ToolCommand } from "../host/tool_runner.ts";
import { dirname } from "../parse/path.ts";
import { updateFolder } from "../state/update_state.ts";
import { knowsReleases, releaseKey, VERSION } from "../version.ts";
import {
  detectSandbox,
  findLingerUser,
  requireFreeName,
  requireNoSystemInstall,
  requireRootsFolder,
  type ServiceUser,
  serviceUser,
  trustedDeno,
} from "./install_context.ts";
import { formatInstallRecord, type InstallRecord, readInstallRecord } from "./install_record.ts";
import { type FileStep, removeStep, type Step } from "./install_step.ts";
import { readableBy } from "./launchd.ts";
import { detectManager, requireManager, serviceManager } from "./managers.ts";
import { choosePanels, type PanelOptions, readInstalledPanels } from "./panel_choice.ts";
import { fullPaths, normalPath, planSettings, withSavedProxies } from "./service_config.ts";
import { hasUpdateService } from "./service_files.ts";
import {
  type ManagerKind,
  optional,
  scopeOf,
  type ServiceManager,
  servicePaths,
  type ServicePlan,
} from "./service_manager.ts";
import { missingFolders, pathExists, type TargetSystem } from "./target_system.ts";

/** An installation: what was asked for, what was there before, and all steps in order. */
export interface InstallPlan {
  /** With the panels and proxies of the service. */
  readonly config: Config;
  readonly system: TargetSystem;
  readonly manager: ServiceManager;
  readonly service: ServicePlan;
  readonly record: InstallRecord;
  /** The record of the installation before; `undefined` when there is none. */
  readonly previous: InstallRecord | undefined;
  /** The panels of that one. */
  readonly installed: readonly PanelOptions[];
  /** Create all files; no service is started or restarted. */
  readonly prepare: readonly Step[];
  /** Start the service, now and at boot. */
  readonly start: readonly Step[];
}

/**
 * Inspects the machine, and plans an installation without changing anything.
 *
 * @throws {UsageError} When the request can't be met on this machine.
 */
export async function planInstall(
  asked: Config,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<InstallPlan> {
  const { serviceName: name, print } = asked;
  const { program: { form }, root } = system;
  if (form === "source") {
    throw new UsageError(
      "Cannot install from sources: build one file with `deno task compile --portable`, and run " +
        "its `install`",
    );
  }
  const kind = detectManager(system);
  const scope = scopeOf(system);
  const paths = servicePaths(name, system);
  const manager = serviceManager(kind, { ...system, name, scope, logFile: paths.logFile });
  requireNoSystemInstall(name, system);
  if (!print) await requireManager(manager, system, signal);
  const previous = readInstallRecord(root + paths.record);
  const installed = previous === undefined ? [] : readInstalledPanels(root + previous.config);
  const proxies = withSavedProxies(asked, previous && root + paths.environmentFile);
  const config = choosePanels({ ...asked, proxies }, installed);
  requireCredentials(config, { verb: "install" });
  requireNotPinned(asked, previous);
  // A folder that could not be made is not tried again.
  const before = dirname(previous?.program ?? "");
  const programFolder = normalPath(config.installDir) ||
    (pathExists(root + before) ? before : "") ||
    paths.programFolder;
  const asRoot = config.asRoot ?? previous?.user === "root";
  const user = await serviceUser({ service: name, asRoot, system }, signal);
  const program = `${programFolder}/${name}`;
  const given = fullPaths(config.explicitOptions, system.folder);
  const stateFolder = given.get("state_dir") || paths.stateFolder;
  if (scope === "system") {
    requireRootsFolder(programFolder, { system, option: "--install-dir" });
    requireRootsFolder(dirname(stateFolder) || "/", { system, option: "--state-dir" });
  }
  const isUpdated = updatesText(config) === undefined;
  const hasSandbox = user.name !== "root" || !hasRemoteControl(config);
  const service: ServicePlan = {
    ...paths,
    ...{ name, scope, program, user: user.name },
    stateFolder,
    updateFolder: updateFolder(program),
    deno: form === "portable"
      ? trustedDeno(system.denoPath, { user: user.name, isUpdated })
      : undefined,
    sandbox: !hasSandbox
      ? "none"
      : kind === "systemd" && scope === "system" && !print
      ? await detectSandbox(system, signal)
      : "full",
    usesDevices: config.gpu,
    releaseFlags: releaseFlags(given),
    isUpdated,
  };
  if (previous === undefined) {
    const files = [...manager.files(service), ...manager.updateFiles(service)];
    requireFreeName(name, { files: files.map(({ path }) => path), program, system });
  }
  const lingerUser = kind === "systemd" && scope === "user"
    ? await findLingerUser(system, signal)
    : undefined;
  const plan = { config, system, manager, service, previous, installed };
  return { ...plan, ...planSteps(plan, { kind, user, lingerUser }) };
}

/** The record of an installation, and its steps. */
function planSteps(
  { config, system, manager, service, previous }: Omit<InstallPlan, "record" | "prepare" | "start">,
  { kind, user, lingerUser }: {
    kind: ManagerKind;
    user: ServiceUser;
    lingerUser: string | undefined;
  },
): Pick<InstallPlan, "record" | "prepare" | "start"> {
  const { root, folder } = system;
  const { name, scope, program, isUpdated, stateFolder, runtimeFolder, logFile } = service;
  const paths = servicePaths(name, system);
  const isMacDaemon = kind === "launchd" && scope === "system" && user.name !== "root";
  const settings = planSettings(config, service, { folder, isMacDaemon });
  const files: FileStep[] = [
    ...settings,
    // launchd does not create it for a daemon that does not run as root.
    ...(kind === "launchd" && user.name !== ""
      ? [{ do: "file", path: logFile, text: "", mode: 0o640, owner: user.name } as const]
      : []),
    ...[...manager.files(service), ...(isUpdated ? manager.updateFiles(service) : [])]
      .map((file): FileStep => ({ do: "file", ...file })),
  ];
  const written = files.map(({ path }) => path).filter((path) => path !== service.config);
  const isLinkOurs = previous?.links.includes(paths.link) ?? false;
  const links = isLinkOurs || !pathExists(root + paths.link) ? [paths.link] : [];
  const made = [program, service.config, stateFolder, ...written, ...links];
  const folders = [dirname(program), paths.configFolder, ...missingFolders(made, system)];
  const trees = [
    ...[paths.stateFolder, service.updateFolder, runtimeFolder],
    // An existing folder may contain files of others.
    ...(isFreeFolder(root + stateFolder) ? [stateFolder] : []),
  ];
  const rootOptions = [...fullPaths(config.explicitOptions, folder)]
    .filter(([key]) => hasTag(key, "root"));
  const record: InstallRecord = {
    ...{ service: name, manager: kind, scope, user: user.name },
    createdUser: user.createCommands.length > 0 || (previous?.createdUser ?? false),
    enabledLinger: lingerUser ?? previous?.enabledLinger ?? "",
    ...{ program, config: service.config, stateFolder, runtimeFolder, logFile },
    ...{ files: written, links },
    folders: [...new Set([...folders, ...previous?.folders ?? []])],
    // A top-level folder is never removed with everything in it.
    trees: [...new Set([...trees, ...previous?.trees ?? []])]
      .filter((path) => path.split("/").length > 2),
    pinned: config.pin ? VERSION : "",
    rootOptions: Object.fromEntries(rootOptions),
  };
  const stale = previous?.files.filter((path) => !written.includes(path)) ?? [];
  const oldPrograms = previous === undefined || previous.program === program
    ? []
    : [previous.program, `${previous.program}.old`];
  // The owner of a folder with other files in it is not changed, and systemd makes its own.
  const makesState = record.trees.includes(stateFolder) &&
    !(kind === "systemd" && scope === "system" && stateFolder === paths.stateFolder);
  const stopsUpdates = !isUpdated && previous !== undefined && hasUpdateService(previous);
  return {
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
      ...links.map((path): Step => ({ do: "link", path, to: program })),
      ...(makesState ? stateFolderSteps(service, { root, previous }) : []),
      ...(record.trees.includes(stateFolder) ? cacheSteps(service, { root, previous }) : []),
      ...oldPrograms.filter((path) => pathExists(root + path)).map(removeStep),
      ...files,
      ...(isMacDaemon ? [readableBy(user.name, settings.map(({ path }) => path))] : []),
      ...manager.reload,
    ],
    start: [
      ...manager.restart,
      ...manager.enable,
      ...(isUpdated ? manager.enableUpdates : []),
      ...lingerCommands("enable-linger", lingerUser),
    ],
  };
}

/**
 * Keeps a pinned version, unless it is said what becomes of that.
 *
 * @throws {UsageError} When this program is another version.
 */
function requireNotPinned(
  { origins, pin, serviceName }: Config,
  previous: InstallRecord | undefined,
): void {
  const pinned = previous?.pinned ?? "";
  const isAsked = origins.get("pin")?.startsWith("flag ") ?? false;
  if (pinned === "" || pinned === VERSION || !pin || isAsked) return;
  throw new UsageError(
    `Cannot install version ${VERSION}: ${serviceName} is pinned to version ${pinned}; use --pin ` +
      "to pin this version, or --unset pin to go on to newer ones",
  );
}

/** Why there are no automatic updates; `undefined` when there are. */
export function updatesText(config: Config): string | undefined {
  return config.pin
    ? `off: pinned to version ${VERSION}`
    : !config.autoUpdate
    ? "off"
    : !knowsReleases(config)
    ? "off: this build has no release address"
    : releaseKey(config) === ""
    ? "off: this build has no key to verify releases with"
    : undefined;
}

/** Whether any of the panels has remote control. */
export function hasRemoteControl(config: Config): boolean {
  return [config, ...config.furtherPanels].some(({ remoteControl }) => remoteControl);
}

/** Whether a folder is missing or empty. */
function isFreeFolder(path: string): boolean {
  return !pathExists(path) || attempt(() => [...Deno.readDirSync(path)].length) === 0;
}

/** The owner of a step's file; none in a user's own installation. */
export function ownedBy(user: string): { owner?: string } {
  return user === "" ? {} : { owner: user };
}

/** Makes the state folder; state of a service of root, or of a removed user, becomes the user's. */
function stateFolderSteps(
  { user, stateFolder }: ServicePlan,
  { root, previous }: { root: string; previous: InstallRecord | undefined },
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

/**
 * Removes the runtime's cache from a state folder that comes to root from another user: that one could have
 * put links there, through which root would write. The folder is root's alone before.
 */
function cacheSteps(
  { user, stateFolder }: ServicePlan,
  { root, previous }: { root: string; previous: InstallRecord | undefined },
): Step[] {
  const isKnown = previous?.user === "root" || !pathExists(`${root}${stateFolder}/deno`);
  return user !== "root" || isKnown ? [] : [
    { do: "folder", path: stateFolder, mode: 0o700, owner: "root" },
    { tool: "rm", args: ["-rf", `${stateFolder}/deno`] },
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
