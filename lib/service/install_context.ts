import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import { dirname } from "../parse/path.ts";
import { type InstallRecord, readInstallRecord } from "./install_record.ts";
import { detectManager, managerError, serviceManager } from "./managers.ts";
import type { ManagerKind, ServiceManager } from "./service_manager.ts";
import { type ServicePaths, servicePaths } from "./service_paths.ts";
import { type ServiceUser, serviceUser } from "./service_user.ts";
import { NAMESPACE_FAILED_CODE, SANDBOX_TEST } from "./systemd.ts";
import { pathExists, scopeOf, type TargetSystem } from "./target_system.ts";

/** What is known before anything is done. */
export interface InstallContext {
  readonly kind: ManagerKind;
  readonly paths: ServicePaths;
  readonly user: ServiceUser;
  /** The Deno for a portable build; `undefined` for one that needs none. */
  readonly deno: string | undefined;
  /** How far this machine lets a service be shut off. */
  readonly sandbox: "full" | "without view";
  /** What was installed before. */
  readonly previous: InstallRecord | undefined;
  /** Whether the program can be linked to where it is found by its name; or what is wrong there. */
  readonly link: "free" | "taken" | "no folder";
  /** The user whose services end with his logins, so far; `undefined` where there is none. */
  readonly lingerUser: string | undefined;
}

/**
 * The Deno that a portable build is to be run with, by a user who owns none of what lies on the way
 * to it.
 *
 * @throws {UsageError} When that user could not start it.
 */
export function trustedDeno(path: string, { user }: { user: string }): string {
  const real = Deno.realPathSync(path);
  if (user === "root" || user === "") return real;
  const parts = real.split("/");
  for (let count = parts.length; count > 1; count--) {
    const part = parts.slice(0, count).join("/");
    // The program itself is read as well as started.
    const needed = count === parts.length ? 0o005 : 0o001;
    if (((Deno.statSync(part).mode ?? 0) & needed) !== needed) {
      throw new UsageError(
        `Cannot let ${user} start ${real}: ${part} is closed to other users; put Deno into ` +
          "/usr/local/bin and start this with it, or give --as-root",
      );
    }
  }
  return real;
}

/**
 * Looks at the machine; changes nothing.
 *
 * @throws {UsageError} When what was asked for can't be installed here.
 */
export async function readInstallContext(
  { install }: Pick<Config, "install">,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<InstallContext> {
  const { program, root } = system;
  if (program.form === "source") {
    throw new UsageError(
      "Cannot install from sources: build one file by `deno task compile --portable`, and let " +
        "that install itself",
    );
  }
  const kind = detectManager(system);
  const scope = scopeOf(system);
  const paths = servicePaths(install.serviceName, { ...system, scope });
  requireNoSystemInstall(install.serviceName, system);
  if (!install.print) {
    const manager = serviceManager(kind, { name: install.serviceName, scope, ...paths, ...system });
    await requireManager(manager, system, signal);
  }
  const previous = readInstallRecord(root + paths.record);
  const user = await serviceUser({
    service: install.serviceName,
    asRoot: install.asRoot ?? previous?.user === "root",
    system,
  }, signal);
  return {
    kind,
    paths,
    user,
    sandbox: kind === "systemd" && scope === "system" && !install.print
      ? await detectSandbox(system, signal)
      : "full",
    previous,
    deno: program.form === "portable"
      ? trustedDeno(system.denoPath, { user: user.name })
      : undefined,
    link: linkState(root + paths.link, previous?.links.includes(paths.link) ?? false),
    lingerUser: kind === "systemd" && scope === "user"
      ? await lingerUser(system, signal)
      : undefined,
  };
}

/** Two agents with one token would take the panel's connection from each other. */
function requireNoSystemInstall(serviceName: string, system: TargetSystem): void {
  if (scopeOf(system) === "system") return;
  const { record } = servicePaths(serviceName, { ...system, scope: "system" });
  if (!pathExists(system.root + record)) return;
  throw new UsageError(
    `Cannot install ${serviceName} for this user: root has installed it for the machine ` +
      `(${record}); run this as root, or give another --install-service-name`,
  );
}

/** Nothing is to be written, a token least of all, where nothing could be started. */
async function requireManager(
  manager: ServiceManager,
  system: TargetSystem,
  signal: AbortSignal,
): Promise<void> {
  const trouble = await managerError(manager, system, signal);
  if (trouble === undefined) return;
  const name = await userName(system, signal) ?? system.uid;
  throw new UsageError(
    `Cannot install for this user: its service manager does not answer (${trouble}); log in as ` +
      `${name} by ssh or \`machinectl shell ${name}@\`, or let root \`loginctl enable-linger ` +
      `${name}\` and set XDG_RUNTIME_DIR=/run/user/${system.uid}`,
  );
}

/** Some containers let no service mount anything, and one that wants to would never start. */
async function detectSandbox(
  { tools }: Pick<TargetSystem, "tools">,
  signal: AbortSignal,
): Promise<InstallContext["sandbox"]> {
  const { code } = await tools.run(SANDBOX_TEST, { signal });
  return code === NAMESPACE_FAILED_CODE ? "without view" : "full";
}

function linkState(path: string, isOurs: boolean): InstallContext["link"] {
  if (!pathExists(dirname(path))) return "no folder";
  return isOurs || !pathExists(path) ? "free" : "taken";
}

/** The user, unless his services outlive his logins already. */
async function lingerUser(system: TargetSystem, signal: AbortSignal): Promise<string | undefined> {
  const name = await userName(system, signal);
  return name === undefined || isLingering(name, system) ? undefined : name;
}

async function userName(
  { tools }: Pick<TargetSystem, "tools">,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { code, output } = await tools.run({ tool: "id", args: ["-un"] }, { signal });
  return code === 0 && output.trim() !== "" ? output.trim() : undefined;
}

/** Whether a user's services outlive his logins. */
export function isLingering(name: string, { root }: Pick<TargetSystem, "root">): boolean {
  try {
    return Deno.statSync(`${root}/var/lib/systemd/linger/${name}`).isFile;
  } catch {
    return false;
  }
}
