/**
 * What is installed under a service's name, by its record, and where its agent may run.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { RuntimePaths } from "../config/environment.ts";
import { installedPackage } from "../host/this_program.ts";
import { runtimeFolders } from "../state/paths.ts";
import { PROGRAM } from "../version.ts";
import { findInstallRecord, type InstallRecord } from "./install_record.ts";
import { packagedRecord } from "./packaged_service.ts";

/** The record of a service of this user, of the system, or of a package; `undefined` if there is none. */
export function installedRecord(
  name: string,
  env: Readonly<Record<string, string>>,
): InstallRecord | undefined {
  return findInstallRecord(name, env) ??
    (name === PROGRAM && installedPackage() !== undefined ? packagedRecord() : undefined);
}

/** The folders that may hold the health file of an installed service, or of an agent of this user. */
export function agentFolders(
  config: RuntimePaths & { readonly serviceName: string },
  env: Readonly<Record<string, string>>,
): string[] {
  const record = attempt(() => installedRecord(config.serviceName, env));
  if (record === undefined) return runtimeFolders(config);
  const { runtimeFolder } = record;
  return config.serviceName === PROGRAM
    ? [...runtimeFolders(config), runtimeFolder]
    : [runtimeFolder];
}
