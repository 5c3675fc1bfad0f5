import { UsageError } from "../config/usage_error.ts";
import type { ToolCommand } from "../host/tool_runner.ts";
import { scopeOf } from "./service_paths.ts";
import type { TargetSystem } from "./target_system.ts";

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
  const hasGroup = await hasEmptyGroup(service, { system, signal });
  return { name: service, createCommands: createUserCommands(service, { system, hasGroup }) };
}

/**
 * Whether there is a group of the name of a user to be created, as one that was deleted leaves it.
 *
 * @throws {UsageError} When others are in it, who could read the token.
 */
async function hasEmptyGroup(
  name: string,
  { system, signal }: { system: TargetSystem; signal: AbortSignal },
): Promise<boolean> {
  const { output } = await system.tools.run({ tool: "getent", args: ["group", name] }, { signal });
  const [found, , , members = ""] = output.trim().split(":");
  if (found !== name) return false;
  if (members === "") return true;
  throw new UsageError(
    `Cannot create the user ${name}: its group has members (${members}), who could read the token; ` +
      `remove the group: groupdel ${name}`,
  );
}

/** Commands that remove a user created by the installation, and its group. */
export function removeUserCommands(name: string, { tools }: TargetSystem): ToolCommand[] {
  const [user, group] = tools.has("userdel") ? ["userdel", "groupdel"] : ["deluser", "delgroup"];
  // Most tools remove the group with its user.
  return [user, group].map((tool) => ({ tool, args: [name], mayFail: true }));
}

function createUserCommands(
  name: string,
  { system: { tools }, hasGroup }: { system: TargetSystem; hasGroup: boolean },
): ToolCommand[] {
  const home = "/nonexistent";
  if (tools.has("useradd")) {
    const shell = ["--shell", "/usr/sbin/nologin", "--home-dir", home, "--no-create-home"];
    const group = hasGroup ? ["--gid", name] : ["--user-group"];
    return [{ tool: "useradd", args: ["--system", ...group, ...shell, name] }];
  }
  if (tools.has("adduser") && tools.has("addgroup")) {
    return [
      // The group may exist; adduser fails if it is unusable.
      { tool: "addgroup", args: ["-S", name], mayFail: true },
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
