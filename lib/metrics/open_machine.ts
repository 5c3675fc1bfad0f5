/**
 * The machine that is reported: this one, or the one that another `/proc` belongs to.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import { KernelTree } from "../host/kernel_lookup.ts";
import { LocalHost } from "../host/local_host.ts";
import { type OpenedMachine, openLinuxMachine, OWN_PROC } from "./machine.ts";
import { PublicAddresses } from "./public_addresses.ts";

/** What the program runs on, by the runtime's names. */
export interface Platform {
  readonly os: string;
  readonly arch: string;
}

/**
 * Opens this machine, measured as the configuration wants it.
 *
 * @throws {UsageError} When there is no `/proc` where one was named, or when a Mac can't do what is
 * wanted.
 */
export async function openMachine(
  config: Config,
  { os, arch }: Platform,
): Promise<OpenedMachine> {
  if (os === "darwin") {
    // Other systems need nothing of it in memory.
    const { openMac } = await import("./machine_darwin.ts");
    return await openMac(config, arch);
  }
  const host = openHost(config.hostProc);
  const { proc } = host.roots;
  if (!host.exists(`${proc}/stat`)) {
    throw new UsageError(`Cannot read ${proc}/stat: HOST_PROC must name a Linux machine's /proc`);
  }
  const tree = new KernelTree(host);
  return { host, tree, machine: openLinuxMachine(host, tree, { ...config, arch }) };
}

/**
 * This machine, or the one that another `/proc` belongs to. Where that one's root was mounted around
 * its `/proc` it is taken; else what its first process sees, which takes more rights than many
 * containers have.
 */
function openHost(hostProc: string): LocalHost {
  const own = new LocalHost();
  if (hostProc === "" || hostProc === OWN_PROC) return own;
  const around = hostProc.slice(0, hostProc.lastIndexOf("/"));
  const isRoot = around !== "" && own.exists(`${around}/etc`);
  const root = isRoot ? around : `${hostProc}/1/root`;
  const sys = own.exists(`${root}/sys/class/net`) ? `${root}/sys` : own.roots.sys;
  return new LocalHost({ proc: hostProc, sys, root });
}

/** Finds out the public addresses as the configuration wants it. */
export function openPublicAddresses(
  config: Config,
  { host, machine }: OpenedMachine,
): PublicAddresses {
  const counted = (name: string) =>
    machine.collectors.traffic.interfaces().some((it) => it.counted && it.name === name);
  return new PublicAddresses({
    custom: {
      ...(config.customIpv4 && { ipv4: config.customIpv4 }),
      ...(config.customIpv6 && { ipv6: config.customIpv6 }),
    },
    fromInterfaces: config.addressesFromNic,
    services: config.ipServices,
    interfaceAddresses: () => host.interfaceAddresses(),
    isCounted: counted,
  });
}
