import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import { dirname } from "../parse/path.ts";
import { type InstallRecord, readInstallRecord } from "./install_record.ts";
import { detectManager, managerTrouble, serviceManager } from "./managers.ts";
import type { ManagerKind, ServiceManager } from "./service_manager.ts";
import { type ServicePlaces, servicePlaces } from "./service_paths.ts";
import { type ServiceUser, serviceUser } from "./service_user.ts";
import { NO_VIEW_CODE, VIEW_TEST } from "./systemd.ts";
import { isThere, scopeOf, type Site } from "./target_system.ts";

/** What is known before anything is done. */
export interface InstallFacts {
  readonly kind: ManagerKind;
  readonly places: ServicePlaces;
  readonly user: ServiceUser;
  /** The Deno for a portable build; `undefined` for one that needs none. */
  readonly deno: string | undefined;
  /** How far this machine lets a service be shut off. */
  readonly sandbox: "full" | "without view";
  /** What was installed before. */
  readonly before: InstallRecord | undefined;
  /** Whether the program can be linked to where it is found by its name; or what is wrong there. */
  readonly link: "free" | "taken" | "no folder";
  /** The user whose services end with his logins, so far; `undefined` where there is none. */
  readonly notLingering: string | undefined;
}

/**
 * The Deno that a portable build is to be run with, by a user who owns none of what lies on the way
 * to it.
 *
 * @throws {UsageError} When that user could not start it.
 */
export function readableDeno(path: string, { user }: { user: string }): string {
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
export async function findFacts(
  { install }: Pick<Config, "install">,
  site: Site,
  signal: AbortSignal,
): Promise<InstallFacts> {
  const { program, root } = site;
  if (program.form === "source") {
    throw new UsageError(
      "Cannot install from sources: build one file by `deno task compile --portable`, and let " +
        "that install itself",
    );
  }
  const kind = detectManager(site);
  const scope = scopeOf(site);
  const places = servicePlaces(install.serviceName, { ...site, scope });
  requireNoOther(install.serviceName, site);
  if (!install.print) {
    const manager = serviceManager(kind, { name: install.serviceName, scope, ...places, ...site });
    await requireManager(manager, site, signal);
  }
  const before = readInstallRecord(root + places.record);
  const user = await serviceUser({
    service: install.serviceName,
    asRoot: install.asRoot ?? before?.user === "root",
    site,
  }, signal);
  return {
    kind,
    places,
    user,
    sandbox: kind === "systemd" && scope === "system" && !install.print
      ? await possibleSandbox(site, signal)
      : "full",
    before,
    deno: program.form === "portable"
      ? readableDeno(site.denoPath, { user: user.name })
      : undefined,
    link: linkPlace(root + places.link, before?.links.includes(places.link) ?? false),
    notLingering: kind === "systemd" && scope === "user"
      ? await notLingering(site, signal)
      : undefined,
  };
}

/** Two agents with one token would take the panel's connection from each other. */
function requireNoOther(serviceName: string, site: Site): void {
  if (scopeOf(site) === "system") return;
  const { record } = servicePlaces(serviceName, { ...site, scope: "system" });
  if (!isThere(site.root + record)) return;
  throw new UsageError(
    `Cannot install ${serviceName} for this user: root has installed it for the machine ` +
      `(${record}); run this as root, or give another --install-service-name`,
  );
}

/** Nothing is to be written, a token least of all, where nothing could be started. */
async function requireManager(
  manager: ServiceManager,
  site: Site,
  signal: AbortSignal,
): Promise<void> {
  const trouble = await managerTrouble(manager, site, signal);
  if (trouble === undefined) return;
  const name = await userName(site, signal) ?? site.uid;
  throw new UsageError(
    `Cannot install for this user: its service manager does not answer (${trouble}); log in as ` +
      `${name} by ssh or \`machinectl shell ${name}@\`, or let root \`loginctl enable-linger ` +
      `${name}\` and set XDG_RUNTIME_DIR=/run/user/${site.uid}`,
  );
}

/** Some containers let no service mount anything, and one that wants to would never start. */
async function possibleSandbox(
  { tools }: Pick<Site, "tools">,
  signal: AbortSignal,
): Promise<InstallFacts["sandbox"]> {
  const { code } = await tools.run(VIEW_TEST, { signal });
  return code === NO_VIEW_CODE ? "without view" : "full";
}

function linkPlace(path: string, isOurs: boolean): InstallFacts["link"] {
  if (!isThere(dirname(path))) return "no folder";
  return isOurs || !isThere(path) ? "free" : "taken";
}

/** The user, unless his services outlive his logins already. */
async function notLingering(site: Site, signal: AbortSignal): Promise<string | undefined> {
  const name = await userName(site, signal);
  return name === undefined || isLingering(name, site) ? undefined : name;
}

async function userName(
  { tools }: Pick<Site, "tools">,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { code, output } = await tools.run({ tool: "id", args: ["-un"] }, { signal });
  return code === 0 && output.trim() !== "" ? output.trim() : undefined;
}

/** Whether a user's services outlive his logins. */
export function isLingering(name: string, { root }: Pick<Site, "root">): boolean {
  try {
    return Deno.statSync(`${root}/var/lib/systemd/linger/${name}`).isFile;
  } catch {
    return false;
  }
}
