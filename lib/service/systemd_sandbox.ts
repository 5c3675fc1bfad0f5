import type { ServicePlan } from "./service_plan.ts";

/**
 * What a unit of the machine's is shut off from.
 *
 * Left open on purpose: memory that is both written and run (the engine compiles while it runs),
 * the list of all processes (they are counted), limits of resources (the probes' shell sets one),
 * and the sight of `/home`, since what lies there is counted as disk space.
 */
export function systemdSandbox(
  { sandbox, usesDevices }: Pick<ServicePlan, "sandbox" | "usesDevices">,
): string[] {
  if (sandbox === "none") return [];
  return [
    "# An echo by `ping` needs this one right; there is no way to any other.",
    "AmbientCapabilities=CAP_NET_RAW",
    "CapabilityBoundingSet=CAP_NET_RAW",
    "NoNewPrivileges=yes",
    ...(sandbox === "full" ? ownView(usesDevices) : []),
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

/** What systemd does by mounting: the rest of the system is there to be read only. */
function ownView(usesDevices: boolean): string[] {
  return [
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
  ];
}

/** The exit code by which systemd says that it could not give a service a view of its own. */
export const NO_VIEW_CODE = 226;

/** Ends with {@linkcode NO_VIEW_CODE} where services can't have a view of their own. */
export const VIEW_TEST = {
  tool: "systemd-run",
  args: [
    "--quiet",
    "--wait",
    "--collect",
    ...ownView(false).flatMap((line) => ["-p", line]),
    "/bin/true",
  ],
} as const;
