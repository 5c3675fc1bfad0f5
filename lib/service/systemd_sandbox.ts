import type { ServicePlan } from "./service_plan.ts";

/**
 * What a unit of the machine's is shut off from.
 *
 * Left open on purpose: memory that is both written and run (the engine compiles while it runs),
 * the list of all processes (they are counted), limits of resources (the probes' shell sets one),
 * and the sight of `/home`, since what lies there is counted as disk space.
 */
export function systemdSandbox({ usesDevices }: Pick<ServicePlan, "usesDevices">): string[] {
  return [
    "# An echo by `ping` needs this one right; there is no way to any other.",
    "AmbientCapabilities=CAP_NET_RAW",
    "CapabilityBoundingSet=CAP_NET_RAW",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "PrivateTmp=yes",
    ...(usesDevices ? ["# Graphics cards are asked by their devices."] : ["PrivateDevices=yes"]),
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "LockPersonality=yes",
    "KeyringMode=private",
    "RemoveIPC=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
  ];
}
