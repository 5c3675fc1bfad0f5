/**
 * The check of `doctor` for other agents that report as the same node.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import { isCommand } from "../config/commands.ts";
import type { Config } from "../config/config.ts";
import { basename } from "../parse/path.ts";
import { installedRecord } from "../service/installed_record.ts";
import { detectManager } from "../service/managers.ts";
import {
  boundedReader,
  type OfficialAgent,
  runningOfficialAgents,
} from "../service/official_agent.ts";
import { importSettings } from "../service/official_options.ts";
import { currentSystem } from "../service/target_system.ts";
import type { Health } from "../state/health_reader.ts";
import { type CheckResult, failed, ok, skipped, warning } from "./checks.ts";
import { asRoot } from "./doctor_commands.ts";

/** Finds agents here, or by the panel elsewhere, that report as the same node. */
export async function checkOtherAgents(
  config: Config,
  { env, health, mainPid, signal }: {
    env: Readonly<Record<string, string>>;
    health: Health | undefined;
    /** The service's own process, by its manager; 0 where that does not say. */
    mainPid: number;
    signal: AbortSignal;
  },
): Promise<CheckResult> {
  const system = currentSystem({ env, printLine: () => {} });
  const manager = attempt(() => detectManager(system));
  const found = manager === undefined ? [] : await runningOfficialAgents(manager, system, signal);
  // One's own service, whose unit may be unreadable, is none of them.
  const officials = found.filter(({ serviceName }) => serviceName !== config.serviceName);
  const agents = [health?.pid ?? 0, mainPid].filter((pid) => pid > 0);
  const ours = tokensOf(config);
  const processes = await otherProcesses(ours, { agents });
  // The service's own process, which its manager may not know.
  const others = processes.filter(({ of }) => of?.name !== `${config.serviceName}.service`);
  // `install --replace` takes no second one's place.
  const isInstalled = attempt(() => installedRecord(config.serviceName, env)) !== undefined;
  const names = officials.map(({ serviceName }) => serviceName);
  const stop = !isInstalled
    ? undefined
    : manager === "openrc"
    ? names.map((name) => `rc-service ${name} stop; rc-update del ${name}`).join("; ")
    : `systemctl disable --now ${names.join(" ")}`;
  return otherAgentsResult(officials, { ours, processes: others, stop });
}

/** Agents beside the one just installed that report as the same node, in words; none while that is not seen. */
export async function agentsBeside(
  config: Config,
  health: Health | undefined,
): Promise<string | undefined> {
  if (health === undefined) return undefined;
  const ours = tokensOf(config);
  const processes = await otherProcesses(ours, { agents: [health.pid] });
  const { status, text, advice } = otherAgentsResult([], { ours, processes });
  return status === "failed" ? `${text}: ${advice}` : undefined;
}

function tokensOf(config: Config): Set<string> {
  const tokens = [config, ...config.furtherPanels].map(({ token }) => token);
  return new Set(tokens.filter((token) => token !== ""));
}

/**
 * The result for other agents: official ones that run as services, `processes` that have one of
 * `ours`, the tokens, and those that panels have shown to the running agent.
 */
export function otherAgentsResult(
  officials: readonly OfficialAgent[],
  { ours, processes, stop }: {
    ours: ReadonlySet<string>;
    processes: readonly TokenHolder[];
    /** The command that stops the official ones; `undefined` where this agent can take their place. */
    stop?: string | undefined;
  },
): CheckResult {
  const end = stop === undefined
    ? `this takes its place: ${asRoot("komari-agent-deno install --replace")}`
    : `stop that one: ${stop}`;
  const rivals = officials.filter((official) => ours.has(tokenOf(official)));
  if (rivals.length > 0) {
    return failed(
      `the official agent's service ${namesOf(rivals)} runs with the same token`,
      `both report as one node; ${end}`,
    );
  }
  if (processes.length > 0) {
    const names = processes.map(({ name, pid, of }) =>
      of === undefined ? `${name} (process ${pid})` : `${name} (process ${pid} of ${of.name})`
    ).join(", ");
    const stop = [...new Set(processes.map(({ of, pid }) => of?.stop ?? `kill ${pid}`))].join("; ");
    return failed(
      `another agent runs with the same token: ${names}`,
      `stop it, if it is not wanted (${stop}), or give each node a token of its own`,
    );
  }
  if (officials.length === 0) {
    return ours.size === 0
      ? skipped("there is no token by which they are known")
      : ok("none is seen here with the same token");
  }
  return warning(
    `the official agent's service ${namesOf(officials)} runs here too, as another node`,
    `fine if you want that; else ${end}`,
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

/** A process that has one of our tokens. */
interface TokenHolder {
  readonly name: string;
  readonly pid: number;
  /** What would start it again, where that is seen. */
  readonly of: Keeper | undefined;
}

/** A service or a container, and how it is stopped for good. */
interface Keeper {
  readonly name: string;
  readonly stop: string;
}

/**
 * Agents among the processes of this machine that have one of the tokens.
 *
 * A shell may have the token in its environment too, so only processes whose command names an agent
 * count; that of others can be read by root alone.
 *
 * @param options `agents`: processes of the agent itself, whose parents and children don't count.
 */
export async function otherProcesses(
  tokens: ReadonlySet<string>,
  { agents: own, proc = "/proc", self = Deno.pid }: {
    agents: readonly number[];
    proc?: string;
    self?: number;
  },
): Promise<TokenHolder[]> {
  // A parent such as sudo may have the whole command line of the agent that it started.
  const ancestors = new Set((await Promise.all([self, ...own].map((pid) => ancestorsOf(pid, proc))))
    .flat());
  const names = attempt(() => Array.from(Deno.readDirSync(proc), ({ name }) => name)) ?? [];
  const scope = "/init.scope";
  const ofSystemd = cgroupPaths(await readProcText(`${proc}/1/cgroup`));
  const root = ofSystemd.find((it) => it.endsWith(scope))?.slice(0, -scope.length) ?? "";
  const found = (await Promise.all(
    names.filter((name) => /^\d+$/.test(name)).map(async (pid) => {
      const words = await readWords(`${proc}/${pid}/cmdline`);
      const program = words.slice(0, MAX_PROGRAM_WORDS)
        .find((word) => /(^|\/)(komari-agent|agent)[^/ ]*$/.test(word));
      // An agent of another name is known by the panel's address, or as a second installation by its
      // configuration.
      const byPanel = words.findIndex((word, at) =>
        /^(?:-e|--endpoint)[ =]?https?:/.test(`${word} ${words[at + 1]}`)
      );
      const at = byPanel > 0 ? byPanel : words.findIndex((word) => CONFIG_FLAGS.includes(word));
      const holder = program ?? (at > 0 ? programIn(words.slice(0, at), tokens) : undefined);
      if (holder === undefined || ancestors.has(Number(pid))) return [];
      // Also of one that starts it, such as systemd-run: its words are further behind.
      const last = program === undefined ? at : words.indexOf(program) + 1;
      const isAgent = words.slice(0, last + 1).every((_, from) =>
        !isOtherCommand(words.slice(from))
      );
      if (!isAgent) return [];
      const variables = await readWords(`${proc}/${pid}/environ`);
      const texts = await tokenTexts(words, variables, `${proc}/${pid}/cwd`);
      const seen = program === undefined && byPanel <= 0 ? [] : [...words, ...variables];
      if (![...tokens].some((token) => hasToken(token, seen, texts))) return [];
      const name = basename(holder);
      const of = keeperOf(await readProcText(`${proc}/${pid}/cgroup`), root);
      return [{ name, pid: Number(pid), of, parent: await parentOf(Number(pid), proc) }];
    }),
  )).flat();
  // An agent may have started others, such as its helper shell.
  const agents = new Set([self, ...own, ...found.map(({ pid }) => pid)]);
  return found.filter(({ parent }) => !agents.has(parent))
    .map(({ name, pid, of }) => ({ name, pid, of }));
}

/** The container or the system's service that a process is of, by its cgroup below that of systemd's own. */
function keeperOf(cgroup: string, root: string): Keeper | undefined {
  const paths = cgroupPaths(cgroup);
  const [, engine, id] = paths.map((path) => CONTAINER.exec(path.slice(root.length)))
    .find((it) => it !== null) ?? [];
  if (engine !== undefined) {
    return engine === "docker"
      ? { name: `container ${id}`, stop: `docker update --restart=no ${id}; docker stop ${id}` }
      : { name: `container ${id}`, stop: `podman stop ${id}` };
  }
  const path = paths.find((it) => it.startsWith(`${root}/system.slice/`)) ?? "";
  const name = basename(path);
  return path.endsWith(".service")
    ? { name, stop: `systemctl stop ${name}; systemctl disable ${name}` }
    : undefined;
}

/** The cgroup of a container, and the part of its id by which people name it. */
const CONTAINER = /\b(docker|libpod)[-/]([\da-f]{12})[\da-f]{52}\b/;

function cgroupPaths(cgroup: string): string[] {
  return cgroup.split("\n").map((line) => line.split(":").slice(2).join(":"));
}

/** The program among the words before an agent's flags: the one that a runtime or another one starts. */
function programIn(words: readonly string[], tokens: ReadonlySet<string>): string | undefined {
  const isProgram = (word: string) =>
    /^[^-].*\//.test(word) && basename(word) !== "deno" && !tokens.has(word);
  return words.find(isProgram) ?? words[0];
}

/** Whether words behind a program are those of a command that does not report, such as another doctor. */
function isOtherCommand([first = "", second = ""]: readonly string[]): boolean {
  return first !== "report" && (isCommand(first) || isCommand(`${first} ${second}`));
}

/** Whether a token is among the words of a process, or in the files that it reads tokens from. */
function hasToken(token: string, words: readonly string[], texts: readonly string[]): boolean {
  return words.some((word) =>
    word === token || word === `-t${token}` || word.endsWith(`=${token}`)
  ) || texts.some((text) => text.trim() === token || text.includes(JSON.stringify(token)));
}

/** Behind a runtime and its flags. */
const MAX_PROGRAM_WORDS = 16;
const CONFIG_FLAGS = ["--config", "-c"];
/** The files that flags and variables of an agent name, in words that end with a zero byte. */
const NAMED_CONFIGS = /\0(?:--config|-c)[\0=]([^\0]+)/g;
const NAMED_TOKENS = /\0(?:--token-file[\0=]|AGENT_TOKEN_FILE=)([^\0]+)/g;
const CREDENTIALS = /\0CREDENTIALS_DIRECTORY=([^\0]+)/g;

/** The texts of the files in which an agent with this command line, environment and folder has its token. */
async function tokenTexts(
  words: readonly string[],
  variables: readonly string[],
  workingFolder: string,
): Promise<string[]> {
  const given = ["", ...words, ...variables].join("\0");
  const named = (pattern: RegExp, text = given) =>
    [...text.matchAll(pattern)].map(([, path = ""]) => path);
  const read = (paths: readonly string[]) =>
    readTexts(paths.map((path) => path.startsWith("/") ? path : `${workingFolder}/${path}`));
  const configs = await read(named(NAMED_CONFIGS));
  const inConfigs = configs.flatMap((text) => named(/"token_file"\s*:\s*"([^"]+)"/g, text));
  const credentials = named(CREDENTIALS).map((folder) => `${folder}/token`);
  return [...configs, ...await read([...named(NAMED_TOKENS), ...inConfigs, ...credentials])];
}

async function readTexts(paths: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(
    paths.map(async (path) => {
      try {
        const { isFile, size } = await Deno.stat(path);
        return isFile && size <= MAX_PROCESS_BYTES ? [await Deno.readTextFile(path)] : [];
      } catch {
        return [];
      }
    }),
  );
  return texts.flat();
}

/** Not synchronously: the command line of a process whose memory hangs is waited for without end. */
async function readWords(path: string): Promise<string[]> {
  return (await readProcText(path)).slice(0, MAX_PROCESS_BYTES).split("\0");
}

async function readProcText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return "";
  }
}

/** A process and those that have started it. */
async function ancestorsOf(pid: number, proc: string): Promise<number[]> {
  const all: number[] = [];
  for (let at = pid; at > 0 && !all.includes(at); at = await parentOf(at, proc)) all.push(at);
  return all;
}

async function parentOf(pid: number, proc: string): Promise<number> {
  const text = await readProcText(`${proc}/${pid}/stat`);
  // The name within the parentheses may hold anything.
  const [, parent = "0"] = /\) \S (\d+) [^)]*$/.exec(text) ?? [];
  return Number(parent);
}
