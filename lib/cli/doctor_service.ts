/**
 * The checks of `doctor` about the installed service and the agents that run here.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { panelName } from "../config/panels.ts";
import { isInContainerImage } from "../host/this_program.ts";
import { agentFolders, findService, serviceText } from "../service/installed_service.ts";
import { detectManager } from "../service/managers.ts";
import {
  boundedReader,
  type OfficialAgent,
  runningOfficialAgents,
} from "../service/official_agent.ts";
import { importSettings } from "../service/official_options.ts";
import { currentSystem } from "../service/target_system.ts";
import { type Health, readHealth } from "../state/health_reader.ts";
import { agentProblems, closesSoon } from "./agent_problems.ts";
import { type Check, check, type CheckResult, result } from "./checks.ts";
import { healthProblem } from "./health.ts";
import { duration } from "./status.ts";

type Environment = Readonly<Record<string, string>>;

/** The checks of the service, and of the agents that run here. */
export function serviceChecks(config: Config, { env }: { env: Environment }): readonly Check[] {
  const found = readHealth(agentFolders(config, env));
  const health = found?.isRunning ? found : undefined;
  return [
    check(
      "service",
      "Service",
      (signal) => checkService(config, { env, health, signal }),
    ),
    check("agent", "Running agent", () => checkAgent(config, health)),
    check(
      "agents",
      "Other agents",
      (signal) => checkOtherAgents(config, { env, health, signal }),
    ),
    check("probes", "Probes", () => checkProbes(health)),
  ];
}

/** The machine as `doctor` finds it. */
interface Found {
  readonly env: Environment;
  /** The running agent, if one is seen. */
  readonly health: Health | undefined;
  readonly signal: AbortSignal;
}

async function checkService(
  config: Config,
  { env, health, signal }: Found,
): Promise<CheckResult> {
  const service = await findService(config.serviceName, { env, signal });
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
  if (health === undefined) {
    return result("skipped", "no agent runs here that this user can see");
  }
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
  const unregistered = agentProblems(health).find(({ part }) => part === "registration");
  if (problem !== undefined && unregistered !== undefined) {
    return result(
      "failed",
      `${text}; ${unregistered.text}`,
      "where the panel refuses it, copy the key of --auto-discovery from the panel's settings " +
        "again; else the checks of the panel below find the cause",
    );
  }
  if (problem !== undefined) {
    return result(
      "failed",
      text,
      "the checks of the panel below find the cause; if they find none, restart the agent",
    );
  }
  // Others have a check of their own.
  const found = agentProblems(health).find(({ part }) => part === "authorities" || part === "gpu");
  if (found === undefined) return result("ok", text);
  const isGpu = found.part === "gpu";
  return result(
    isGpu ? "failed" : "warning",
    `${text}; ${found.text}`,
    isGpu ? GPU_ADVICE : AUTHORITIES_ADVICE,
  );
}

const AUTHORITIES_ADVICE = "check the files that SSL_CERT_FILE, SSL_CERT_DIR and DENO_CERT name";

const GPU_ADVICE = "check the driver (nvidia-smi), or leave out --gpu";

/** Agents that would report as the same node. */
async function checkOtherAgents(
  config: Config,
  { env, health, signal }: Found,
): Promise<CheckResult> {
  const officials = await officialAgents(env, signal);
  const ours = new Set(
    [config, ...config.furtherPanels].map(({ token }) => token).filter((token) => token !== ""),
  );
  const rivals = officials.filter((official) => ours.has(tokenOf(official)));
  if (rivals.length > 0) {
    const names = rivals.map(({ serviceName }) => serviceName).join(", ");
    return result(
      "failed",
      `the official agent's service ${names} runs with the same token`,
      "both report as one node; `install --replace` takes its place",
    );
  }
  const processes = otherProcesses(ours, health);
  if (processes.length > 0) {
    return result(
      "failed",
      `another agent runs with the same token: ${
        processes.map(({ name, pid }) => `${name} (process ${pid})`).join(", ")
      }`,
      "stop one of them, or give each node a token of its own",
    );
  }
  const closed = health?.panels.filter(closesSoon).map(({ panel }) => panel) ?? [];
  if (closed.length > 0) {
    return result(
      "failed",
      `${closed.join(", ")} closes each connection soon after it opened: most likely another ` +
        "agent, here or on another machine, runs with the same token",
      "look for a copy of this machine or of its configuration, and give each its own token; " +
        "if there is none, a proxy in front of the panel closes them: raise its timeouts " +
        "(nginx: proxy_read_timeout 60s)",
    );
  }
  if (officials.length === 0) {
    return result("ok", "none with the same token here");
  }
  const names = officials.map(({ serviceName }) => serviceName).join(", ");
  return result(
    "warning",
    `the official agent's service ${names} runs here too, as another node`,
    "fine if you want that; `install --replace` takes its place",
  );
}

async function officialAgents(env: Environment, signal: AbortSignal): Promise<OfficialAgent[]> {
  const system = currentSystem({ env, printLine: () => {} });
  const manager = attempt(() => detectManager(system));
  return manager === undefined ? [] : await runningOfficialAgents(manager, system, signal);
}

/** Its token; empty when that is not known. */
function tokenOf(official: OfficialAgent): string {
  const { given } = importSettings(official, boundedReader(""));
  return given.get("token") ?? "";
}

/** Larger than any command line and environment of an agent. */
const MAX_PROCESS_BYTES = 256 * 1024;

/**
 * Agents among the processes of this machine that have one of the tokens.
 *
 * A shell may have the token in its environment too, so only processes whose command names an agent
 * count; that of others can be read by root alone.
 */
export function otherProcesses(
  tokens: ReadonlySet<string>,
  health: Pick<Health, "pid" | "isRunning"> | undefined,
  { proc = "/proc", self = Deno.pid }: { proc?: string; self?: number } = {},
): { name: string; pid: number }[] {
  const agent = health?.isRunning ? health.pid : undefined;
  // What has started the agent, such as sudo, may have its whole command line.
  const own = new Set([self, agent ?? self].flatMap((pid) => ancestorsOf(pid, proc)));
  const names = attempt(() => Array.from(Deno.readDirSync(proc), ({ name }) => name)) ?? [];
  const found = names.filter((name) => /^\d+$/.test(name)).map(Number).flatMap((pid) => {
    const words = readWords(`${proc}/${pid}/cmdline`);
    const [program = ""] = words;
    const isAgent = words.slice(0, MAX_PROGRAM_WORDS)
      .some((word) => /(^|\/)(komari-agent|agent)[^/ ]*$/.test(word));
    if (!isAgent || own.has(pid)) return [];
    const variables = readWords(`${proc}/${pid}/environ`);
    const hasToken = [...tokens].some((token) =>
      [...words, ...variables].some((word) =>
        word === token || word === `-t${token}` || word.endsWith(`=${token}`)
      ) || configText(words).includes(JSON.stringify(token))
    );
    const name = program.split("/").at(-1) ?? "";
    return hasToken ? [{ name, pid, parent: parentOf(pid, proc) }] : [];
  });
  // An agent may have started others, such as its helper shell.
  const agents = new Set([self, agent, ...found.map(({ pid }) => pid)]);
  return found.filter(({ parent }) => !agents.has(parent))
    .map(({ name, pid }) => ({ name, pid }));
}

/** Behind a runtime and its flags. */
const MAX_PROGRAM_WORDS = 16;

/** The file that `--config` names, if it can be read. */
function configText(words: readonly string[]): string {
  const at = words.findIndex((word) => word === "--config" || word === "-c");
  const path = at === -1 ? undefined : words[at + 1];
  if (path === undefined || !path.startsWith("/")) return "";
  return attempt(() => boundedReader("")(path)) ?? "";
}

function readWords(path: string): string[] {
  const text = attempt(() => Deno.readTextFileSync(path)) ?? "";
  return text.slice(0, MAX_PROCESS_BYTES).split("\0").filter((word) => word !== "");
}

/** A process and those that have started it. */
function ancestorsOf(pid: number, proc: string): number[] {
  const all: number[] = [];
  for (let at = pid; at > 0 && !all.includes(at); at = parentOf(at, proc)) all.push(at);
  return all;
}

function parentOf(pid: number, proc: string): number {
  const text = attempt(() => Deno.readTextFileSync(`${proc}/${pid}/stat`)) ?? "";
  // The name within the parentheses may hold anything.
  const [, parent = "0"] = /\) \S (\d+) [^)]*$/.exec(text) ?? [];
  return Number(parent);
}

function checkProbes(health: Health | undefined): CheckResult {
  const panels = health?.panels ?? [];
  const run = panels.reduce((sum, { lastMinute = 0 }) => sum + lastMinute, 0);
  const lost = panels.reduce((sum, it) => sum + (it.lost ?? 0), 0);
  if (run === 0) {
    return result("skipped", "none ran in the last minute");
  }
  const text = `${run} in the last minute, ${lost} lost`;
  if (lost < run) return result("ok", text);
  return result(
    "warning",
    text,
    "the targets do not answer, or a firewall drops what is sent to them; `--log-level debug` " +
      "shows why each is lost",
  );
}
