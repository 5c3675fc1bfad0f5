import { UsageError } from "../config/usage_error.ts";
import type { ToolCommand } from "../host/tool_runner.ts";
import { scopeOf, type TargetSystem } from "./target_system.ts";

/** What makes and removes a user without a password, a shell or a home. */
export interface ServiceUser {
  /** Empty for a user's own service. */
  readonly name: string;
  /** What makes it; empty where it is there. */
  readonly createCommands: readonly ToolCommand[];
}

/** What all tools for users take. */
const NAME_RULE = /^[a-z_][a-z0-9_-]{0,30}$/;

/**
 * Whom the service is to run as, and how that user comes to be.
 *
 * @throws {UsageError} When there is no way to make one.
 */
export async function serviceUser(
  { service, asRoot, system }: {
    service: string;
    asRoot: boolean;
    system: Pick<TargetSystem, "uid" | "os" | "tools" | "sudoUser">;
  },
  signal: AbortSignal,
): Promise<ServiceUser> {
  if (scopeOf(system) === "user") {
    if (asRoot) {
      throw new UsageError("Cannot use --as-root: only root can install a service of root's");
    }
    return { name: "", createCommands: [] };
  }
  if (asRoot) return { name: "root", createCommands: [] };
  if (system.os === "darwin") return { name: sudoUserName(system.sudoUser), createCommands: [] };
  if (!NAME_RULE.test(service)) {
    throw new UsageError(
      `Cannot name a user ${service}, as its service is called: allowed are small letters, ` +
        "digits, _ and -, 31 at most; or give --as-root",
    );
  }
  const { code } = await system.tools.run({ tool: "id", args: ["-u", service] }, { signal });
  return { name: service, createCommands: code === 0 ? [] : createUserCommands(service, system) };
}

/** What removes a user that was made here, and its group. */
export function removeUserCommands(
  name: string,
  { tools }: Pick<TargetSystem, "tools">,
): ToolCommand[] {
  const [user, group] = tools.has("userdel") ? ["userdel", "groupdel"] : ["deluser", "delgroup"];
  // Most tools take the group along with its user.
  return [user, group].map((tool) => ({ tool, args: [name], mayFail: true }));
}

function createUserCommands(name: string, { tools }: Pick<TargetSystem, "tools">): ToolCommand[] {
  const home = "/nonexistent";
  if (tools.has("useradd")) {
    const shell = ["--shell", "/usr/sbin/nologin", "--home-dir", home, "--no-create-home"];
    return [{ tool: "useradd", args: ["--system", "--user-group", ...shell, name] }];
  }
  if (tools.has("adduser") && tools.has("addgroup")) {
    return [
      // It may be left from a time before; then the next one tells.
      { tool: "addgroup", args: ["-S", name], mayFail: true },
      {
        tool: "adduser",
        args: ["-S", "-D", "-H", "-h", home, "-s", "/sbin/nologin", "-G", name, name],
      },
    ];
  }
  throw new UsageError(
    `Cannot make the user ${name}: neither useradd nor adduser is there; make it by hand, or give ` +
      "--as-root",
  );
}

function sudoUserName(sudoUser: string): string {
  if (sudoUser !== "" && sudoUser !== "root") return sudoUser;
  throw new UsageError(
    "Cannot tell whom the service is to run as: run this by sudo as that user, or give --as-root",
  );
}
