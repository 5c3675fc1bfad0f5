import type { Translation } from "../config/language.ts";
import { type InstallRecord, readInstallRecord } from "./install_record.ts";
import { serviceManager } from "./managers.ts";
import type { ManagerKind } from "./service_manager.ts";
import { servicePaths } from "./service_paths.ts";
import { currentSystem } from "./target_system.ts";

/** The state of an installed service. */
export interface ServiceState {
  readonly name: string;
  readonly manager: ManagerKind;
  readonly isActive: boolean;
  /** Whether it is started at boot. */
  readonly isEnabled: boolean;
  /** The command that follows its log. */
  readonly logHint: string;
}

/**
 * Asks the service manager about the service of this user, or of the system; `undefined` if none was
 * installed.
 *
 * @throws {Error} When the record of the installation can't be read.
 */
export async function findService(
  name: string,
  { os, env, signal }: {
    os: string;
    env: Readonly<Record<string, string>>;
    signal: AbortSignal;
  },
): Promise<ServiceState | undefined> {
  const record = findRecord(name, { os, home: env.HOME ?? "" });
  if (record === undefined) return undefined;
  const { home, uid, tools } = currentSystem({ env, printLine: () => {} });
  const { service, scope, manager: kind, logFile } = record;
  const manager = serviceManager(kind, { name: service, scope, logFile, home, uid });
  const [isActive = false, isEnabled = false] = await Promise.all(
    [manager.isActive, manager.isEnabled].map(async (command) =>
      (await tools.run(command, { signal })).code === 0
    ),
  );
  return { name: service, manager: kind, isActive, isEnabled, logHint: manager.logHint };
}

function findRecord(
  name: string,
  { os, home }: { os: string; home: string },
): InstallRecord | undefined {
  const scopes = Deno.uid() === 0 || home === ""
    ? ["system"] as const
    : ["user", "system"] as const;
  for (const scope of scopes) {
    const { record } = servicePaths(name, { scope, home, userRuntimeDir: "", os });
    const found = readInstallRecord(record);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The state in words. */
export function serviceText({ name, manager, isActive, isEnabled }: ServiceState): Translation {
  const active = isActive ? "is running" : "is not running";
  const enabled = isEnabled ? "and starts at boot" : "and does not start at boot";
  return {
    en: `${name} (${manager}) ${active}, ${enabled}`,
    zh: `${name}（${manager}）${isActive ? "正在运行" : "没有运行"}，${
      isEnabled ? "开机自动启动" : "开机时不会启动"
    }`,
  };
}
