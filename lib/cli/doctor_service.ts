/**
 * The checks of `doctor` about the installed service and its running agent.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { panelName } from "../config/panels.ts";
import { isInContainerImage } from "../host/this_program.ts";
import {
  agentFolders,
  findService,
  type ServiceState,
  serviceText,
} from "../service/installed_service.ts";
import { type Health, readHealth } from "../state/health_reader.ts";
import { seenProblem } from "./agent_problems.ts";
import { type Check, check, type CheckResult, result } from "./checks.ts";
import { checkOtherAgents } from "./doctor_other_agents.ts";
import { healthProblem } from "./health.ts";
import { duration } from "./status.ts";

/** The environment, and the running agent as it is found before the first check. */
interface Found {
  readonly env: Readonly<Record<string, string>>;
  /** The running agent, if one is seen. */
  readonly health: Health | undefined;
}

/** The agent of the installed service or of this user, if it runs and this user can see it. */
export function runningAgent(
  config: Config,
  env: Readonly<Record<string, string>>,
): Health | undefined {
  const health = readHealth(agentFolders(config, env));
  return health?.isRunning ? health : undefined;
}

/** The checks of the service, and of the agents that run here. */
export function serviceChecks(config: Config, found: Found): readonly Check[] {
  const { env, health } = found;
  return [
    check("service", "Service", async (signal) => {
      return serviceResult(await findService(config.serviceName, { env, signal }), health);
    }),
    check("agent", "Running agent", () => checkAgent(config, health)),
    check("agents", "Other agents", (signal) => checkOtherAgents(config, { ...found, signal })),
    check("probes", "Probes", () => checkProbes(health)),
  ];
}

/** The result for the installed service, and for its agent, if that is seen. */
export function serviceResult(
  service: ServiceState | undefined,
  health: Health | undefined,
): CheckResult {
  if (service === undefined) {
    return isInContainerImage()
      ? result("skipped", "not used in a container")
      : result("skipped", "not installed as a service", "`install` starts it at every boot");
  }
  const text = serviceText(service);
  const { isActive, isEnabled, enable, logHint, lastError, start } = service;
  if (isActive && health === undefined) {
    const cause = lastError === "" ? "" : `; the last error in its log: ${lastError}`;
    return result(
      "failed",
      `${text}, but no agent of it is seen${cause}`,
      `it has just started, or ends again and again: ${logHint}`,
    );
  }
  if (isActive && isEnabled) return result("ok", text);
  if (isActive) return result("warning", text, `start it at boot: ${enable}`);
  if (lastError === "") return result("failed", text, `start it: ${start}; its log: ${logHint}`);
  return result(
    "failed",
    `${text}; the last line of its log: ${lastError}`,
    `repair that, and then: ${start}; its log: ${logHint}`,
  );
}

function checkAgent(config: Config, health: Health | undefined): CheckResult {
  if (health === undefined) return result("skipped", "no agent runs here that this user can see");
  const { version, pid } = health;
  const ours = [config, ...config.furtherPanels].filter(({ endpoint }) => endpoint !== "")
    .map(panelName);
  const others = health.panels.map(({ panel }) => panel);
  if (ours.length > 0 && others.length > 0 && !others.some((panel) => ours.includes(panel))) {
    const names = others.join(", ");
    return result("skipped", `process ${pid} reports to ${names}, and not to this panel`);
  }
  const nowMs = Date.now();
  const problem = healthProblem(health, nowMs);
  const ago = duration(nowMs - (health.acceptedAtMs ?? nowMs));
  const text = `version ${version}, process ${pid}: ${
    problem ?? `a report was accepted ${ago} ago`
  }`;
  if (problem !== undefined) {
    const unregistered = seenProblem(health, "registration");
    return unregistered === undefined
      ? result(
        "failed",
        text,
        "the checks of the panel below find the cause; if they find none, restart the agent",
      )
      : result(
        "failed",
        `${text}; ${unregistered}`,
        "where the panel refuses it, copy the key of --auto-discovery from the panel's settings " +
          "again; else the checks of the panel below find the cause",
      );
  }
  for (const [part, status, advice] of PROBLEMS) {
    const seen = seenProblem(health, part);
    if (seen !== undefined) return result(status, `${text}; ${seen}`, advice);
  }
  return result("ok", text);
}

/** Problems of a running agent; the other parts have a check of their own. */
const PROBLEMS = [
  ["gpu", "failed", "check the driver (nvidia-smi), or leave out --gpu"],
  [
    "authorities",
    "warning",
    "check the files that SSL_CERT_FILE, SSL_CERT_DIR and DENO_CERT name",
  ],
] as const;

function checkProbes(health: Health | undefined): CheckResult {
  const panels = health?.panels ?? [];
  const run = panels.reduce((sum, { lastMinute = 0 }) => sum + lastMinute, 0);
  const lost = panels.reduce((sum, it) => sum + (it.lost ?? 0), 0);
  if (run === 0) return result("skipped", "none ran in the last minute");
  const text = `${run} in the last minute, ${lost} lost`;
  if (lost < run) return result("ok", text);
  return result(
    "warning",
    text,
    "the targets do not answer, or a firewall drops what is sent to them; `--log-level debug` " +
      "shows why each is lost",
  );
}
