import type { ToolCommand } from "../host/tool_runner.ts";
import {
  denoVariables,
  updateCommand,
  updateServiceName,
  updateVariables,
} from "./service_files.ts";
import {
  DESCRIPTION,
  type ManagedService,
  optional,
  ORIGIN,
  type ServiceManager,
  type ServicePlan,
} from "./service_manager.ts";

/**
 * The sandbox of a system unit.
 *
 * Left open on purpose: writable and executable memory (V8 compiles at run time), the list of all
 * processes (they are counted), resource limits (the probes' shell sets one), and `/home`, whose
 * file systems count as disk space.
 */
function systemdSandbox({ sandbox, usesDevices, user }: ServicePlan): string[] {
  if (sandbox === "none") return [];
  return [
    "# ping needs this capability; no other can be gained.",
    "AmbientCapabilities=CAP_NET_RAW",
    ...(user === "root"
      ? [
        "# By the others the agent becomes another user when it seals itself; its shell keeps that one.",
        "CapabilityBoundingSet=CAP_NET_RAW CAP_SETGID CAP_SETPCAP CAP_SETUID",
      ]
      : ["CapabilityBoundingSet=CAP_NET_RAW"]),
    "NoNewPrivileges=yes",
    ...(sandbox === "full" ? mountNamespaceSettings(usesDevices) : []),
    "LockPersonality=yes",
    "KeyringMode=private",
    "RemoveIPC=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "# The agent seals itself, which this list of older versions leaves out.",
    "SystemCallFilter=@system-service seccomp",
    "SystemCallErrorNumber=EPERM",
  ];
}

/** Settings that need a mount namespace: the rest of the system is read-only. */
function mountNamespaceSettings(usesDevices: boolean): string[] {
  return [
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "PrivateTmp=yes",
    ...(usesDevices
      ? ["# Graphics cards are read through their devices."]
      : ["PrivateDevices=yes"]),
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
  ];
}

/** The exit code of a service whose namespaces systemd could not set up (`EXIT_NAMESPACE`). */
export const NAMESPACE_FAILED_CODE = 226;

/** Exits with {@linkcode NAMESPACE_FAILED_CODE} where services can't have mount namespaces. */
export const SANDBOX_TEST = {
  tool: "systemd-run",
  args: [
    "--quiet",
    "--wait",
    "--collect",
    ...mountNamespaceSettings(false).flatMap((line) => ["-p", line]),
    "/bin/true",
  ],
} as const;

/**
 * Quotes a word for command lines and `Environment=` of a unit file.
 *
 * Quotes and backslashes are escaped as in C; a percent sign, which begins a specifier, is doubled.
 */
export function systemdWord(word: string): string {
  if (/^[A-Za-z0-9_.,:=@/+-]+$/.test(word)) return word;
  return `"${systemdPath(word).replace(/["\\]/g, "\\$&")}"`;
}

/** Quotes an argument of a command line, where a dollar sign begins a variable. */
export function systemdArgument(word: string): string {
  return systemdWord(word).replaceAll("$", "$$$$");
}

/** Quotes a path that is the whole value of a setting. */
function systemdPath(path: string): string {
  return path.replaceAll("%", "%%");
}

/** Waits for the network; a user's manager has no such targets. */
const ONLINE = ["Wants=network-online.target", "After=network-online.target"];

/** The unit of the agent, `NAME.service`. */
export function systemdUnit(plan: ServicePlan): string {
  const ofSystem = plan.scope === "system";
  return [
    `# ${ORIGIN}`,
    "[Unit]",
    `Description=${DESCRIPTION}`,
    ...(ofSystem ? ONLINE : []),
    "# No limit on restarts.",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    `ExecStart=${commandLine([plan.program, "--config", plan.config])}`,
    ...environmentLines(environmentOf(plan), plan.environmentFile),
    ...(ofSystem ? [`User=${plan.user}`] : []),
    "Restart=always",
    "RestartSec=5",
    "# The memory holds the token. With 0, a crash would start what core_pattern pipes to; 1 forbids it.",
    "LimitCORE=1",
    ...folders(plan),
    ...(ofSystem ? systemdSandbox(plan) : []),
    "",
    "[Install]",
    `WantedBy=${ofSystem ? "multi-user.target" : "default.target"}`,
    "",
  ].join("\n");
}

/** Quotes a command line. */
function commandLine(words: readonly string[]): string {
  const [program = "", ...args] = words;
  return [systemdWord(program), ...args.map(systemdArgument)].join(" ");
}

/** One `Environment=` line per variable, and the file of further ones. */
function environmentLines(
  environment: Readonly<Record<string, string>>,
  file: string,
): string[] {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return [
    ...variables.map((variable) => `Environment=${systemdWord(variable)}`),
    `EnvironmentFile=-${systemdPath(file)}`,
  ];
}

function environmentOf(plan: ServicePlan): Record<string, string> {
  return {
    ...denoVariables(plan, { folder: plan.stateFolder }),
    // Whether a user's manager sets it depends on its version.
    ...(plan.scope === "user" && { STATE_DIRECTORY: plan.stateFolder }),
  };
}

function folders({ name, scope, stateFolder, sandbox }: ServicePlan): string[] {
  const isManaged = scope === "system" && stateFolder === `/var/lib/${name}`;
  const writable = scope === "system" && !isManaged && sandbox === "full";
  return [
    `RuntimeDirectory=${systemdPath(name)}`,
    ...(isManaged ? [`StateDirectory=${systemdPath(name)}`, "StateDirectoryMode=0700"] : []),
    ...(writable ? [`ReadWritePaths=${systemdWord(stateFolder)}`] : []),
  ];
}

/** The unit of one update, `NAME-update.service`. */
export function systemdUpdateUnit(plan: ServicePlan): string {
  const ofSystem = plan.scope === "system";
  return [
    `# ${ORIGIN}`,
    "[Unit]",
    `Description=${DESCRIPTION}: update`,
    ...(ofSystem ? ONLINE : []),
    "",
    "[Service]",
    "Type=oneshot",
    `ExecStart=${commandLine(updateCommand(plan))}`,
    ...environmentLines(updateVariables(plan), plan.environmentFile),
    ...(ofSystem ? ["NoNewPrivileges=yes"] : []),
    "Nice=10",
    "",
  ].join("\n");
}

/** The timer of {@linkcode systemdUpdateUnit}, `NAME-update.timer`. */
export function systemdUpdateTimer(): string {
  return [
    `# ${ORIGIN}`,
    "[Unit]",
    `Description=${DESCRIPTION}: check for updates`,
    "",
    "[Timer]",
    "# After boot too, which resumes an interrupted update.",
    "OnBootSec=2min",
    "OnUnitActiveSec=6h",
    "# Spreads the requests of many machines.",
    "RandomizedDelaySec=30min",
    "",
    "[Install]",
    "WantedBy=timers.target",
    "",
  ].join("\n");
}

/** A systemd service, of the system or of a user. */
export function systemdManager({ name, scope, home }: ManagedService): ServiceManager {
  const folder = scope === "system" ? "/etc/systemd/system" : `${home}/.config/systemd/user`;
  const user = scope === "system" ? [] : ["--user"];
  const unit = `${name}.service`;
  const update = updateServiceName(name);
  const timer = `${update}.timer`;
  const systemctl = (...args: string[]): ToolCommand => ({
    tool: "systemctl",
    args: [...user, ...args],
  });
  return {
    files: (plan) => [{ path: `${folder}/${unit}`, text: systemdUnit(plan), mode: 0o644 }],
    updateFiles: (plan) => [
      { path: `${folder}/${update}.service`, text: systemdUpdateUnit(plan), mode: 0o644 },
      { path: `${folder}/${timer}`, text: systemdUpdateTimer(), mode: 0o644 },
    ],
    reload: [systemctl("daemon-reload")],
    enable: [systemctl("enable", unit)],
    enableUpdates: [systemctl("enable", "--now", timer)],
    restart: [systemctl("restart", unit)],
    stop: [optional(systemctl("stop", unit))],
    disable: [
      optional(systemctl("disable", unit)),
      // A failed unit would stay listed after its file is removed.
      optional(systemctl("reset-failed", unit)),
    ],
    disableUpdates: [
      optional(systemctl("disable", "--now", timer)),
      optional(systemctl("stop", `${update}.service`)),
      optional(systemctl("reset-failed", `${update}.service`)),
    ],
    ...(scope === "user" && { answers: systemctl("show", "--property=Version") }),
    isActive: systemctl("is-active", "--quiet", unit),
    isEnabled: systemctl("is-enabled", "--quiet", unit),
    logTail: {
      tool: "journalctl",
      args: [...user, "-u", unit, "-n", "20", "--no-pager", "-o", "cat"],
    },
    logHint: ["journalctl", ...user, "-u", name, "-f"].join(" "),
  };
}
