/**
 * The check of `doctor` for other agents that report as the same node.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import { detectManager } from "../service/managers.ts";
import {
  boundedReader,
  type OfficialAgent,
  runningOfficialAgents,
} from "../service/official_agent.ts";
import { importSettings } from "../service/official_options.ts";
import { currentSystem } from "../service/target_system.ts";
import type { Health } from "../state/health_reader.ts";
import { closesSoon } from "./agent_problems.ts";
import { type CheckResult, result } from "./checks.ts";

/** Finds agents here, or by the panel elsewhere, that report as the same node. */
export async function checkOtherAgents(
  config: Config,
  { env, health, signal }: {
    env: Readonly<Record<string, string>>;
    health: Health | undefined;
    signal: AbortSignal;
  },
): Promise<CheckResult> {
  const system = currentSystem({ env, printLine: () => {} });
  const manager = attempt(() => detectManager(system));
  const officials = manager === undefined
    ? []
    : await runningOfficialAgents(manager, system, signal);
  const tokens = [config, ...config.furtherPanels].map(({ token }) => token);
  const ours = new Set(tokens.filter((token) => token !== ""));
  const processes = otherProcesses(ours, { agent: health?.pid });
  return otherAgentsResult(officials, { ours, processes, health });
}

/**
 * The result for other agents: official ones that run as services, `processes` that have one of
 * `ours`, the tokens, and those that panels have shown to the running agent.
 */
export function otherAgentsResult(
  officials: readonly OfficialAgent[],
  { ours, processes, health }: {
    ours: ReadonlySet<string>;
    processes: readonly { name: string; pid: number }[];
    health: Health | undefined;
  },
): CheckResult {
  const rivals = officials.filter((official) => ours.has(tokenOf(official)));
  if (rivals.length > 0) {
    return result(
      "failed",
      `the official agent's service ${namesOf(rivals)} runs with the same token`,
      "both report as one node; `install --replace` takes its place",
    );
  }
  if (processes.length > 0) {
    const names = processes.map(({ name, pid }) => `${name} (process ${pid})`).join(", ");
    return result(
      "failed",
      `another agent runs with the same token: ${names}`,
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
  if (officials.length === 0) return result("ok", "none with the same token here");
  return result(
    "warning",
    `the official agent's service ${namesOf(officials)} runs here too, as another node`,
    "fine if you want that; `install --replace` takes its place",
  );
}

function namesOf(officials: readonly OfficialAgent[]): string {
  return officials.map(({ serviceName }) => serviceName).join(", ");
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
  { agent, proc = "/proc", self = Deno.pid }: {
    agent: number | undefined;
    proc?: string;
    self?: number;
  },
): { name: string; pid: number }[] {
  // A parent such as sudo may have the whole command line of the agent that it started.
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
  return text.slice(0, MAX_PROCESS_BYTES).split("\0");
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
