import type { Translation } from "../config/language.ts";
import { installedPackage } from "../host/this_program.ts";
import { PROGRAM } from "../version.ts";
import { findInstallRecord } from "./install_record.ts";
import { recordedManager } from "./managers.ts";
import { packagedRecord } from "./packaged_service.ts";
import type { ManagerKind } from "./service_manager.ts";
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
  { env, signal }: { env: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<ServiceState | undefined> {
  const record = findInstallRecord(name, env) ??
    (name === PROGRAM && installedPackage() !== undefined ? packagedRecord() : undefined);
  if (record === undefined) return undefined;
  const system = currentSystem({ env, printLine: () => {} });
  const manager = recordedManager(record, system);
  const [isActive = false, isEnabled = false] = await Promise.all(
    [manager.isActive, manager.isEnabled].map(async (command) =>
      (await system.tools.run(command, { signal })).code === 0
    ),
  );
  const { logHint } = manager;
  return { name: record.service, manager: record.manager, isActive, isEnabled, logHint };
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
