import { attempt } from "../attempt.ts";
import { UsageError } from "../config/usage_error.ts";
import type { ToolCommand } from "../host/tool_runner.ts";
import { dirname } from "../parse/path.ts";
import { PROGRAM } from "../version.ts";
import { userName } from "./managers.ts";
import { ORIGIN, scopeOf, servicePaths } from "./service_manager.ts";
import { NAMESPACE_FAILED_CODE, SANDBOX_TEST } from "./systemd.ts";
import { entryNames, pathExists, type TargetSystem } from "./target_system.ts";

/**
 * The real path of the Deno that runs a portable build, which the service's user must be able to start.
 *
 * @param user Empty for a user's own service.
 * @param options.isUpdated Whether root runs it for updates.
 * @throws {UsageError} When he can't start it, or when others could replace what root runs.
 */
export function trustedDeno(
  path: string,
  { user, isUpdated }: { user: string; isUpdated: boolean },
): string {
  const real = Deno.realPathSync(path);
  if (user === "") return real;
  const part = user === "root" || isUpdated ? changeablePart(real) : undefined;
  if (part !== undefined) {
    throw new UsageError(
      `Cannot run ${real} as root: users other than root can change ${part}; install Deno in ` +
        "/usr/local/bin as root and run this with it, or use --disable-auto-update without --as-root",
    );
  }
  for (const part of user === "root" ? [] : parentsOf(real)) {
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
 * Root's timer and root's shells run the program from a folder, and root keeps the state in one.
 *
 * @param folder The one that `option` names.
 * @throws {UsageError} When another user can replace what is in the folder.
 */
export function requireRootsFolder(
  folder: string,
  { system: { root }, option }: { system: TargetSystem; option: string },
): void {
  let present = root + folder;
  while (!pathExists(present)) present = dirname(present) || "/";
  const part = changeablePart(present);
  if (part === undefined) return;
  throw new UsageError(
    `Cannot install as root below ${folder}: users other than root can change ${part}; choose a ` +
      `folder for ${option} that only root can change, or install without root`,
  );
}

/** Links that the kernel follows in a path. */
const MAX_LINKS = 40;

/**
 * The file, the folder above it, or a link on the way to it that other users than root, and than this
 * one, can change.
 */
export function changeablePart(path: string, maxLinks = MAX_LINKS): string | undefined {
  for (const part of parentsOf(path)) {
    const { uid, gid, mode, isSymlink, isDirectory } = Deno.lstatSync(part);
    // A link's owner can lead it elsewhere, and a circle of links leads nowhere.
    if ((uid !== 0 && uid !== Deno.uid()) || maxLinks === 0) return part;
    if (isSymlink) {
      const target = Deno.readLinkSync(part);
      const full = target.startsWith("/") ? target : `${dirname(part)}/${target}`;
      const way = changeablePart(full, maxLinks - 1);
      if (way !== undefined) return way;
      continue;
    }
    // In a sticky folder, such as /tmp, only owners replace their files.
    if (isDirectory && ((mode ?? 0) & 0o1000) !== 0) continue;
    // A user's own group is often theirs alone, and its files are for the group to write.
    if (((mode ?? 0) & (gid === 0 || gid === Deno.gid() ? 0o002 : 0o022)) !== 0) return part;
  }
  return undefined;
}

/** A full path and all folders above it, the deepest first. */
function parentsOf(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, at) => parts.slice(0, parts.length - at).join("/"));
}

/**
 * Two agents with one token would close each other's connection.
 *
 * @throws {UsageError} When root has installed the service for all.
 */
export function requireNoSystemInstall(serviceName: string, system: TargetSystem): void {
  if (scopeOf(system) === "system") return;
  const { record } = servicePaths(serviceName, system, "system");
  if (!pathExists(system.root + record)) return;
  throw new UsageError(
    `Cannot install ${serviceName} for this user: root has installed it system-wide ` +
      `(${record}); run this as root, or choose another --install-service-name`,
  );
}

/**
 * Checks that no other service has a name: `install` would overwrite its files, and `uninstall` remove
 * them. Files with this program's own name belong to this program.
 *
 * @param files The unit files, scripts or property lists of the service.
 * @throws {UsageError} When a unit, a program, a log or another service's state exists under that name,
 * and `install` has written none of `files`.
 */
export function requireFreeName(
  name: string,
  { files, program, system }: { files: readonly string[]; program: string; system: TargetSystem },
): void {
  if (name === PROGRAM) return;
  const { root } = system;
  const { stateFolder, runtimeFolder, logFile } = servicePaths(name, system);
  const textOf = (path: string) => attempt(() => Deno.readTextFileSync(root + path)) ?? "";
  if (files.some((path) => textOf(path).includes(ORIGIN))) return;
  const others = [stateFolder, runtimeFolder].flatMap((folder) => {
    const foreign = entryNames(root + folder)
      .filter((entry) => !isAgentEntry(entry) && entry !== "lost+found");
    return foreign.map((entry) => `${folder}/${entry}`);
  });
  // Distributions keep their units there.
  const packaged = files.map((path) => path.replace(/^\/etc(?=\/systemd\/)/, "/usr/lib"));
  // It may have been put there to be run from there.
  const real = (path: string) => attempt(() => Deno.realPathSync(path));
  const copies = real(system.program.path) === real(root + program) ? [] : [program];
  // A user's own log is in the state folder, which may have been kept.
  const logs = scopeOf(system) === "system" ? [logFile] : [];
  const path = [...files, ...packaged, ...copies, ...logs, ...others]
    .find((path) => pathExists(root + path));
  if (path === undefined) return;
  throw new UsageError(
    `Cannot install as ${name}: ${path} is there already, without a record of an installation of ` +
      "that name; choose another --install-service-name",
  );
}

/** Names of the files and folders in an agent's state folder and runtime folder. */
const AGENT_ENTRY =
  /^(?:lock|deno|run|agent\.log|health(?:\.lock)?|net_static\.json|(?:month|auto-discovery)\.\w[^/]*)$/;

/** Whether this is the name of a file or folder that an agent makes there. */
export function isAgentEntry(name: string): boolean {
  return AGENT_ENTRY.test(name);
}

/** Some containers forbid mount namespaces; a unit that asks for one would never start. */
export async function detectSandbox(
  { tools }: TargetSystem,
  signal: AbortSignal,
): Promise<"full" | "no mounts"> {
  const { code } = await tools.run(SANDBOX_TEST, { signal });
  return code === NAMESPACE_FAILED_CODE ? "no mounts" : "full";
}

/** The current user, unless lingering is enabled for him already. */
export async function findLingerUser(
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
