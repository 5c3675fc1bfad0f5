import { denoVariables } from "./deno_variables.ts";
import { DESCRIPTION, ORIGIN, type ServicePlan } from "./service_plan.ts";
import { systemdSandbox } from "./systemd_sandbox.ts";
import { systemdArgument, systemdPath, systemdWord } from "./systemd_word.ts";

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
  const ofManager = scope === "system" && stateFolder === `/var/lib/${name}`;
  const writable = scope === "system" && !ofManager && sandbox === "full";
  return [
    `RuntimeDirectory=${systemdPath(name)}`,
    ...(ofManager ? [`StateDirectory=${systemdPath(name)}`, "StateDirectoryMode=0700"] : []),
    ...(writable ? [`ReadWritePaths=${systemdWord(stateFolder)}`] : []),
  ];
}
