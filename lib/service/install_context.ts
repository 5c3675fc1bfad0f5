import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { proxiesFromEnvironment, proxyVariables } from "../config/environment.ts";
import { UsageError } from "../config/usage_error.ts";
import type { ToolCommand } from "../host/tool_runner.ts";
import { dirname } from "../parse/path.ts";
import type { ProxyUrls } from "../parse/proxy.ts";
import { type InstallRecord, readInstallRecord } from "./install_record.ts";
import { detectManager, requireManager, serviceManager, userName } from "./managers.ts";
import { readSavedProxies } from "./service_files.ts";
import {
  type ManagerKind,
  scopeOf,
  type ServiceManager,
  type ServicePaths,
  servicePaths,
  type ServiceScope,
} from "./service_manager.ts";
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
  readonly link: "free" | "new folder" | "taken";
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
    link: linkState(root + paths.link, previous?.links.includes(paths.link) ?? false),
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

/** The folder is made, as other installers do; login shells look into a user's own. */
function linkState(path: string, isOurs: boolean): InstallContext["link"] {
  if (!pathExists(dirname(path))) return "new folder";
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

/** Whether a user's services outlive his logins. */
export function isLingering(name: string, { root }: TargetSystem): boolean {
  return attempt(() => Deno.statSync(`${root}/var/lib/systemd/linger/${name}`).isFile) ?? false;
}

/** The user of a service, and the commands that create it. */
export interface ServiceUser {
  /** Empty for a user's own service. */
  readonly name: string;
  /** Empty when the user exists. */
  readonly createCommands: readonly ToolCommand[];
}

/** Accepted by all tools that create users. */
const NAME_RULE = /^[a-z_][a-z0-9_-]{0,30}$/;

/**
 * Chooses the user of a service, and how to create it.
 *
 * @throws {UsageError} When it can't be created.
 */
export async function serviceUser(
  { service, asRoot, system }: { service: string; asRoot: boolean; system: TargetSystem },
  signal: AbortSignal,
): Promise<ServiceUser> {
  if (scopeOf(system) === "user") {
    if (asRoot) throw new UsageError("Cannot use --as-root without root");
    return { name: "", createCommands: [] };
  }
  if (asRoot) return { name: "root", createCommands: [] };
  if (system.os === "darwin") {
    return { name: sudoUserName(system.sudoUser), createCommands: [] };
  }
  if (!NAME_RULE.test(service)) {
    throw new UsageError(
      `Cannot create a user named ${service}, like the service: use at most 31 lower-case letters, ` +
        "digits, _ and -, or --as-root",
    );
  }
  const { code, output } = await system.tools.run(
    { tool: "id", args: ["-gn", service] },
    { signal },
  );
  const exists = code === 0;
  const group = output.trim();
  if (exists && group !== service) {
    throw new UsageError(
      `Cannot run the service as the user ${service}: its group is ${group}, and others in that ` +
        `could read the token; make ${service} its primary group, or choose another ` +
        "--install-service-name",
    );
  }
  if (exists) return { name: service, createCommands: [] };
  return { name: service, createCommands: createUserCommands(service, system) };
}

/** Commands that remove a user created by the installation, and its group. */
export function removeUserCommands(name: string, { tools }: TargetSystem): ToolCommand[] {
  const [user, group] = tools.has("userdel") ? ["userdel", "groupdel"] : ["deluser", "delgroup"];
  // Most tools remove the group with its user.
  return [user, group].map((tool) => ({ tool, args: [name], mayFail: true }));
}

/** A group of that name that others may be in makes them fail. */
function createUserCommands(name: string, { tools }: TargetSystem): ToolCommand[] {
  const home = "/nonexistent";
  if (tools.has("useradd")) {
    const shell = ["--shell", "/usr/sbin/nologin", "--home-dir", home, "--no-create-home"];
    return [{ tool: "useradd", args: ["--system", "--user-group", ...shell, name] }];
  }
  if (tools.has("adduser") && tools.has("addgroup")) {
    return [
      { tool: "addgroup", args: ["-S", name] },
      {
        tool: "adduser",
        args: ["-S", "-D", "-H", "-h", home, "-s", "/sbin/nologin", "-G", name, name],
      },
    ];
  }
  throw new UsageError(
    `Cannot create the user ${name}: neither useradd nor adduser is installed; create it by hand, ` +
      "or use --as-root",
  );
}

function sudoUserName(sudoUser: string): string {
  if (sudoUser !== "" && sudoUser !== "root") return sudoUser;
  throw new UsageError(
    "Cannot choose the service's user: run this with sudo as that user, or use --as-root",
  );
}
