import type { ToolCommand } from "../host/tool_runner.ts";
import { denoVariables } from "./service_environment.ts";
import {
  DESCRIPTION,
  type ManagedService,
  ORIGIN,
  type ServiceManager,
  type ServicePlan,
} from "./service_manager.ts";
import { updateCommand, updateServiceName, updateVariables } from "./update_service.ts";

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
    ...(sandbox === "full" ? mountNamespaceSettings(usesDevices) : []),
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
function mountNamespaceSettings(usesDevices: boolean): string[] {
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
export const NAMESPACE_FAILED_CODE = 226;

/** Ends with {@linkcode NAMESPACE_FAILED_CODE} where services can't have a view of their own. */
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
 * A word as a unit file's command lines and lists of variables take it.
 *
 * Quotes and backslashes are escaped as in C, and a percent sign is doubled, since it names the
 * unit's own values otherwise.
 */
export function systemdWord(word: string): string {
  if (/^[A-Za-z0-9_.,:=@/+-]+$/.test(word)) return word;
  return `"${systemdPath(word).replace(/["\\]/g, "\\$&")}"`;
}

/** A word of a command line after the first, where a dollar sign names a variable too. */
export function systemdArgument(word: string): string {
  return systemdWord(word).replaceAll("$", "$$$$");
}

/** A path that is the whole value of a line. */
export function systemdPath(path: string): string {
  return path.replaceAll("%", "%%");
}

/** The unit of the agent itself, `NAME.service`. */
export function systemdUnit(plan: ServicePlan): string {
  const { scope, environmentFile } = plan;
  const ofSystem = scope === "system";
  const online = ["Wants=network-online.target", "After=network-online.target"];
  return [
    `# ${ORIGIN}`,
    "[Unit]",
    `Description=${DESCRIPTION}`,
    // A user's manager knows nothing of the network.
    ...(ofSystem ? online : []),
    "# It is started again for as long as it takes.",
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    `ExecStart=${commandLine([plan.program, "--config", plan.config])}`,
    ...environmentLines(environmentOf(plan)),
    ...(environmentFile === undefined ? [] : [`EnvironmentFile=-${systemdPath(environmentFile)}`]),
    ...(ofSystem ? [`User=${plan.user}`] : []),
    "Restart=always",
    "RestartSec=5",
    ...folders(plan),
    ...(ofSystem ? systemdSandbox(plan) : []),
    "",
    "[Install]",
    `WantedBy=${ofSystem ? "multi-user.target" : "default.target"}`,
    "",
  ].join("\n");
}

/** A command line, each of its words as a unit file takes it. */
export function commandLine(words: readonly string[]): string {
  const [program = "", ...args] = words;
  return [systemdWord(program), ...args.map(systemdArgument)].join(" ");
}

/** A line for each variable. */
export function environmentLines(environment: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment).map(([name, value]) =>
    `Environment=${systemdWord(`${name}=${value}`)}`
  );
}

function environmentOf(plan: ServicePlan): Record<string, string> {
  return {
    ...denoVariables(plan, { folder: plan.stateFolder }),
    // It could not change its own program anyway: the timer does, where it is wanted.
    AGENT_DISABLE_AUTO_UPDATE: "true",
    // What a user's manager calls so depends on its version.
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

/** The unit that takes a newer version once, `NAME-update.service`. */
export function systemdUpdateUnit(plan: ServicePlan): string {
  const { scope, updateEnvironmentFile: file } = plan;
  const ofSystem = scope === "system";
  return [
    `# ${ORIGIN}`,
    "[Unit]",
    `Description=${DESCRIPTION}: take a newer version`,
    ...(ofSystem ? ["Wants=network-online.target", "After=network-online.target"] : []),
    "",
    "[Service]",
    "Type=oneshot",
    `ExecStart=${commandLine(updateCommand(plan))}`,
    ...environmentLines(updateVariables(plan)),
    ...(file === undefined ? [] : [`EnvironmentFile=-${systemdPath(file)}`]),
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
    `Description=${DESCRIPTION}: look for a newer version`,
    "",
    "[Timer]",
    "# Soon after a start too, since one that was cut off goes on then.",
    "OnBootSec=2min",
    "OnUnitActiveSec=6h",
    "# So that many machines don't ask at once.",
    "RandomizedDelaySec=30min",
    "",
    "[Install]",
    "WantedBy=timers.target",
    "",
  ].join("\n");
}

/** A service of systemd's, the machine's or a user's. */
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
  const optional = (command: ToolCommand): ToolCommand => ({ ...command, mayFail: true });
  return {
    files: (plan) => [
      { path: `${folder}/${unit}`, text: systemdUnit(plan), mode: 0o644 },
      ...(plan.isUpdated
        ? [
          { path: `${folder}/${update}.service`, text: systemdUpdateUnit(plan), mode: 0o644 },
          { path: `${folder}/${timer}`, text: systemdUpdateTimer(), mode: 0o644 },
        ]
        : []),
    ],
    reload: [systemctl("daemon-reload")],
    enable: ({ isUpdated }) => [
      systemctl("enable", unit),
      ...(isUpdated ? [systemctl("enable", "--now", timer)] : []),
    ],
    restart: [systemctl("restart", unit)],
    stop: [optional(systemctl("stop", unit))],
    disable: [
      optional(systemctl("disable", unit)),
      // Otherwise one that had failed is remembered when its file is gone.
      optional(systemctl("reset-failed", unit)),
    ],
    disableUpdates: [
      optional(systemctl("disable", "--now", timer)),
      optional(systemctl("stop", `${update}.service`)),
      optional(systemctl("reset-failed", `${update}.service`)),
    ],
    ...(scope === "user" && {
      userManager: {
        answers: systemctl("show", "--property=Version"),
        links: [`${folder}/default.target.wants/${unit}`, `${folder}/timers.target.wants/${timer}`],
      },
    }),
    isActive: systemctl("is-active", "--quiet", unit),
    logTail: {
      tool: "journalctl",
      args: [...user, "-u", unit, "-n", "5", "--no-pager", "-o", "cat"],
    },
    logHint: ["journalctl", ...user, "-u", name, "-f"].join(" "),
  };
}
