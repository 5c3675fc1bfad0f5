import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { proxiesFromEnvironment, proxyVariables } from "../config/environment.ts";
import { UsageError } from "../config/usage_error.ts";
import { dirname } from "../parse/path.ts";
import type { ProxyUrls } from "../parse/proxy.ts";
import { type InstallRecord, readInstallRecord } from "./install_record.ts";
import { detectManager, managerError, serviceManager } from "./managers.ts";
import { readSavedProxies } from "./service_environment.ts";
import type { ManagerKind, ServiceManager } from "./service_manager.ts";
import { scopeOf, type ServicePaths, servicePaths, type ServiceScope } from "./service_paths.ts";
import { type ServiceUser, serviceUser } from "./service_user.ts";
import { NAMESPACE_FAILED_CODE, SANDBOX_TEST } from "./systemd.ts";
import { pathExists, type TargetSystem } from "./target_system.ts";

/** Everything about the machine that an installation depends on. */
export interface InstallContext {
  readonly system: TargetSystem;
  readonly scope: ServiceScope;
  readonly kind: ManagerKind;
  readonly manager: ServiceManager;
  readonly paths: ServicePaths;
  /** Where the program is installed: as asked, as before, or the default. */
  readonly programFolder: string;
  readonly user: ServiceUser;
  /** The Deno that runs a portable build; `undefined` for a compiled program. */
  readonly deno: string | undefined;
  /** A part of its path that users other than root can change, so that root must not run it. */
  readonly changeableDeno: string | undefined;
  /** The strongest sandbox that this machine allows for a service. */
  readonly sandbox: "full" | "no mounts";
  /** The record of the previous installation. */
  readonly previous: InstallRecord | undefined;
  /** The proxies that are saved, with those given now. */
  readonly proxies: ProxyUrls;
  /** Whether a link to the program can be created in a folder on the `PATH`. */
  readonly link: "free" | "new folder" | "taken" | "no folder";
  /** The user whose services still stop at logout; `undefined` where that does not apply. */
  readonly lingerUser: string | undefined;
}

/**
 * The real path of the Deno that runs a portable build, which `user` must be able to start.
 *
 * @throws {UsageError} When that user can't start it, or is root and others could replace it.
 */
export function trustedDeno(path: string, { user }: { user: string }): string {
  const real = Deno.realPathSync(path);
  if (user === "root") {
    const part = changeablePart(real);
    if (part === undefined) return real;
    throw new UsageError(
      `Cannot run ${real} as root: users other than root can change ${part}; install Deno in ` +
        "/usr/local/bin as root and run this with it, or leave out --as-root",
    );
  }
  if (user === "") return real;
  for (const part of parentsOf(real)) {
    // The program itself must be readable too.
    const needed = part === real ? 0o005 : 0o001;
    if (((Deno.statSync(part).mode ?? 0) & needed) !== needed) {
      throw new UsageError(
        `Cannot run ${real} as ${user}: ${part} is not accessible to other users; install Deno in ` +
          "/usr/local/bin and run this with it, or use --as-root",
      );
    }
  }
  return real;
}

/**
 * Root's timer and root's shells run the program from there.
 *
 * @throws {UsageError} When another user can replace what is in the folder.
 */
export function requireRootsFolder(folder: string, { root }: TargetSystem): void {
  let present = root + folder;
  while (!pathExists(present)) present = dirname(present);
  const part = changeablePart(present) ?? changeablePart(Deno.realPathSync(present));
  if (part === undefined) return;
  throw new UsageError(
    `Cannot install as root below ${folder}: users other than root can change ${part}; choose an ` +
      "--install-dir that only root can change, or install without root",
  );
}

/** The file or the folder above it that other users than root, and than this one, can change. */
export function changeablePart(path: string): string | undefined {
  return parentsOf(path).find((part) => {
    // A link's owner can lead it elsewhere.
    if (isAnothers(Deno.lstatSync(part))) return true;
    const info = Deno.statSync(part);
    if (isAnothers(info)) return true;
    const { gid, mode, isDirectory } = info;
    // In a sticky folder, such as /tmp, only owners replace their files.
    if (isDirectory && ((mode ?? 0) & 0o1000) !== 0) return false;
    return ((mode ?? 0) & (gid === 0 ? 0o002 : 0o022)) !== 0;
  });
}

function isAnothers({ uid }: Deno.FileInfo): boolean {
  return uid !== 0 && uid !== Deno.uid();
}

/** A full path and all folders above it, the deepest first. */
function parentsOf(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, at) => parts.slice(0, parts.length - at).join("/"));
}

/**
 * Inspects the machine without changing it.
 *
 * @throws {UsageError} When the request can't be met on this machine.
 */
export async function readInstallContext(
  config: Config,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<InstallContext> {
  const { serviceName, asRoot, print } = config;
  const { program, root, home, uid } = system;
  if (program.form === "source") {
    throw new UsageError(
      "Cannot install from sources: build one file with `deno task compile --portable`, and run " +
        "its `install`",
    );
  }
  const kind = detectManager(system);
  const scope = scopeOf(system);
  const paths = servicePaths(serviceName, system);
  const { logFile } = paths;
  const manager = serviceManager(kind, { name: serviceName, scope, logFile, home, uid });
  requireNoSystemInstall(serviceName, system);
  if (!print) await requireManager(manager, system, signal);
  const previous = readInstallRecord(root + paths.record);
  // A folder that could not be made is not tried again.
  const before = dirname(previous?.program ?? "");
  const programFolder = config.installDir || (pathExists(root + before) ? before : "") ||
    paths.programFolder;
  if (scope === "system") requireRootsFolder(programFolder, system);
  const user = await serviceUser(
    { service: serviceName, asRoot: asRoot ?? previous?.user === "root", system },
    signal,
  );
  const deno = program.form === "portable"
    ? trustedDeno(system.denoPath, { user: user.name })
    : undefined;
  const isSystemd = kind === "systemd";
  return {
    system,
    scope,
    kind,
    manager,
    paths,
    programFolder,
    user,
    sandbox: isSystemd && scope === "system" && !print
      ? await detectSandbox(system, signal)
      : "full",
    previous,
    proxies: withSavedProxies(config, previous && root + paths.environmentFile),
    deno,
    changeableDeno: deno === undefined ? undefined : changeablePart(deno),
    link: linkState(root + paths.link, {
      isOurs: previous?.links.includes(paths.link) ?? false,
      makesFolder: scope === "user",
    }),
    lingerUser: isSystemd && scope === "user" ? await findLingerUser(system, signal) : undefined,
  };
}

/** Two agents with one token would close each other's connection. */
function requireNoSystemInstall(serviceName: string, system: TargetSystem): void {
  if (scopeOf(system) === "system") return;
  const { record } = servicePaths(serviceName, system, "system");
  if (!pathExists(system.root + record)) return;
  throw new UsageError(
    `Cannot install ${serviceName} for this user: root has installed it system-wide ` +
      `(${record}); run this as root, or choose another --install-service-name`,
  );
}

/** Fails before a file, or a token, is written where no service could be started. */
async function requireManager(
  manager: ServiceManager,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<void> {
  const reason = await managerError(manager, system, signal);
  if (reason === undefined) return;
  const name = await userName(system, signal) ?? system.uid;
  throw new UsageError(
    `Cannot install for this user: its service manager does not answer (${reason}); log in as ` +
      `${name} with ssh or \`machinectl shell ${name}@\`, or have root run \`loginctl ` +
      `enable-linger ${name}\` and set XDG_RUNTIME_DIR=/run/user/${system.uid}`,
  );
}

/** The proxies given now, and those that a file has saved before, without those of `--unset`. */
function withSavedProxies(
  { proxies, unset }: Config,
  path: string | undefined,
): ProxyUrls {
  const saved = path === undefined ? {} : readSavedProxies(path) ?? {};
  const all = Object.entries({ ...saved, ...proxyVariables(proxies) });
  return proxiesFromEnvironment(
    Object.fromEntries(all.filter(([name]) => !unset.includes(name))),
  );
}

/** Some containers forbid mount namespaces; a unit that asks for one would never start. */
async function detectSandbox(
  { tools }: TargetSystem,
  signal: AbortSignal,
): Promise<InstallContext["sandbox"]> {
  const { code } = await tools.run(SANDBOX_TEST, { signal });
  return code === NAMESPACE_FAILED_CODE ? "no mounts" : "full";
}

/** A user's own folder of programs is made, as other installers do; login shells look into it. */
function linkState(
  path: string,
  { isOurs, makesFolder }: { isOurs: boolean; makesFolder: boolean },
): InstallContext["link"] {
  if (!pathExists(dirname(path))) return makesFolder ? "new folder" : "no folder";
  return isOurs || !pathExists(path) ? "free" : "taken";
}

/** The current user, unless lingering is enabled for him already. */
async function findLingerUser(
  system: TargetSystem,
  signal: AbortSignal,
): Promise<string | undefined> {
  const name = await userName(system, signal);
  return name === undefined || isLingering(name, system) ? undefined : name;
}

async function userName(
  { tools }: TargetSystem,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { code, output } = await tools.run({ tool: "id", args: ["-un"] }, { signal });
  return code === 0 && output.trim() !== "" ? output.trim() : undefined;
}

/** Whether a user's services outlive his logins. */
export function isLingering(name: string, { root }: TargetSystem): boolean {
  return attempt(() => Deno.statSync(`${root}/var/lib/systemd/linger/${name}`).isFile) ?? false;
}
