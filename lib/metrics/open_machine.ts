/**
 * Opens the machine to report: this one, or that of another `/proc` (`HOST_PROC`).
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import type { Roots } from "../host/host.ts";
import { OWN_PROC } from "../host/interface_traits.ts";
import { isThere, LocalHost, OWN_ROOTS } from "../host/local_host.ts";
import { dirname } from "../parse/path.ts";
import { type Machine, openLinuxMachine } from "./machine.ts";

/** Operating system and architecture as in `Deno.build`. */
export interface Platform {
  readonly os: string;
  readonly arch: string;
}

/**
 * Opens the machine to report with the given configuration.
 *
 * @throws {UsageError} When `HOST_PROC` is not a `/proc`, or when macOS does not support an option.
 */
export async function openMachine(config: Config, { os }: { os: string }): Promise<Machine> {
  if (os === "darwin") {
    const { openMac } = await import("./machine_darwin.ts");
    return await openMac(config);
  }
  const host = new LocalHost(hostRoots(config.hostProc));
  const { proc } = host.roots;
  if (!host.exists(`${proc}/stat`)) {
    throw new UsageError(
      config.hostProc === ""
        ? `Cannot read ${proc}/stat: no such file`
        : `Cannot read ${proc}/stat: HOST_PROC must be a Linux machine's /proc`,
    );
  }
  return openLinuxMachine(host, config);
}

/**
 * The roots of this machine, or of that of another `/proc`. Its root is the parent folder of its `/proc`
 * if that is one, else `1/root`, which needs more privileges than many containers have.
 */
export function hostRoots(hostProc: string): Roots {
  if (hostProc === "" || hostProc === OWN_PROC) return OWN_ROOTS;
  const parent = dirname(hostProc);
  const isRoot = parent !== "" && isThere(`${parent}/etc`);
  const root = isRoot ? parent : `${hostProc}/1/root`;
  const sys = isThere(`${root}/sys/class/net`) ? `${root}/sys` : OWN_ROOTS.sys;
  return { proc: hostProc, sys, root };
}
