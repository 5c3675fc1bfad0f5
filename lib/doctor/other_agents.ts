/**
 * Other agents of this machine that report as the same node.
 *
 * @module
 */

import { abortable } from "@std/async/abortable";
import { attempt } from "../attempt.ts";
import { attemptWithin } from "../async/timeout.ts";
import { isCommand } from "../config/commands.ts";
import type { Config } from "../config/config.ts";
import { BoundedBytes } from "../io/bounded_bytes.ts";
import { foreignWords } from "../parse/bounded_text.ts";
import { basename } from "../parse/path.ts";
import { changeablePart } from "../service/install_context.ts";
import { agentFolders, findInstallRecord } from "../service/install_record.ts";
import { detectManager } from "../service/managers.ts";
import { runningOfficialAgents, trustedReader } from "../service/official_agent.ts";
import { importSettings } from "../service/official_options.ts";
import { currentSystem } from "../service/target_system.ts";
import type { Health } from "../state/health_reader.ts";
import { stateFolder } from "../state/paths.ts";
import { failed, type Finding, ok, skipped, warning } from "./check.ts";
import { asRoot } from "./options.ts";
import { barrierTo } from "./rights.ts";

/** Larger than any command line, environment or configuration of an agent. */
const MAX_BYTES = 256 * 1024;

/** An agent names one configuration and one file with its token; a process can name thousands. */
const MAX_FILES = 4;
/** An installation looks no longer, whatever a process names. */
const LOOK_MS = 5_000;

/** Finds agents here that report as the same node, or official ones as another one. */
export async function checkOtherAgents(
  config: Config,
  { env, pids, signal }: {
    env: Readonly<Record<string, string>>;
    /** Processes of the agent itself, whose parents and children don't count. */
    pids: readonly number[];
    signal: AbortSignal;
  },
): Promise<Finding> {
  const tokens = tokensOf(config);
  const system = currentSystem({ env, printLine: () => {} });
  const manager = attempt(() => detectManager(system));
  const officials =
    (manager === undefined ? [] : await runningOfficialAgents(manager, system, signal))
      // One's own service, whose unit may be unreadable, is none of them.
      .filter(({ serviceName }) => serviceName !== config.serviceName);
  // `install --replace` takes no second one's place.
  const isInstalled = attempt(() => findInstallRecord(config.serviceName, env)) !== undefined;
  const names = officials.map(({ serviceName }) => serviceName);
  const end = !isInstalled
    ? `to replace it: ${asRoot("komari-agent-deno install --replace")}`
    : manager === "openrc"
    ? `stop that one: ${names.map((it) => `rc-service ${it} stop; rc-update del ${it}`).join("; ")}`
    : `stop that one: systemctl disable --now ${names.join(" ")}`;
  const rivals = officials.filter((official) =>
    tokens.has(importSettings(official, trustedReader("")).given.get("token") ?? "")
  );
  if (rivals.length > 0) {
    const shown = rivals.map(({ serviceName }) => serviceName).join(", ");
    return failed(
      `the official agent's service ${shown} runs with the same token`,
      `both report as one node; ${end}`,
    );
  }
  const beside = await agentsBeside(config, { pids, env });
  if (beside !== undefined) return beside;
  if (officials.length > 0) {
    return warning(
      `the official agent's service ${names.join(", ")} runs here too, as another node`,
      `fine if you want that; else ${end}`,
    );
  }
  return tokens.size === 0
    ? skipped("they can't be recognized without a token")
    : ok("none is seen here with the same token");
}

/** Other processes that have one of a configuration's tokens; `undefined` where none is seen. */
export async function agentsBeside(
  config: Config,
  { pids, env }: { pids: readonly number[]; env: Readonly<Record<string, string>> },
): Promise<Finding | undefined> {
  const folders = [...agentFolders(config, env), stateFolder(config)];
  const found = await otherProcesses(tokensOf(config), { agents: pids, folders });
  if (found.length === 0) return undefined;
  const shown = found.map(({ name, pid }) => `${name} (process ${pid})`).join(", ");
  const list = found.map(({ pid }) => pid).join(" ");
  return failed(
    `another agent runs with the same token: ${shown}`,
    `see what has started it, and stop that if it is not wanted: systemctl status ${list}; else give each node a ` +
      "token of its own",
  );
}

/** The same for an agent just installed, in words. */
export async function noteOnOthers(
  config: Config,
  health: Health | undefined,
  { env, signal }: { env: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<string | undefined> {
  if (health === undefined) return undefined;
  const found = await attemptWithin(
    (limit) => abortable(agentsBeside(config, { pids: [health.pid], env }), limit),
    { timeoutMs: LOOK_MS, signal },
  );
  return found && `${found.text}: ${found.advice}`;
}

function tokensOf(config: Config): Set<string> {
  const tokens = [config, ...config.furtherPanels].map(({ token }) => token);
  return new Set(tokens.filter((token) => token !== ""));
}

/** Files that flags and variables of an agent name, in words that end with a zero byte. */
const NAMED_FILES =
  /\0(?:(?:--config|-c|--token-file)[\0=]|AGENT_TOKEN_FILE=|AGENT_CONFIG_FILE=)([^\0]+)/g;

/**
 * Agents among the processes of this machine that have one of the tokens, on their command line, in their
 * environment, or in a file that these name. A shell may have the token in its environment, too, so a
 * process counts whose command names an agent, a panel or a configuration; that of others can be read by
 * root alone.
 */
export async function otherProcesses(
  tokens: ReadonlySet<string>,
  { agents: own, folders, proc = "/proc", self = Deno.pid }: {
    agents: readonly number[];
    /** The folders of this agent: who has a file of them open is no other one. */
    folders: readonly string[];
    proc?: string;
    self?: number;
  },
): Promise<{ name: string; pid: number }[]> {
  const names = attempt(() => Array.from(Deno.readDirSync(proc), ({ name }) => name)) ?? [];
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map(
    await Promise.all(pids.map(async (pid) => {
      const stat = await read(`${proc}/${pid}/stat`);
      // The name within the parentheses may hold anything.
      return [pid, Number(/\) \S (\d+) [^)]*$/.exec(stat)?.[1] ?? 0)] as const;
    })),
  );
  // A parent such as sudo may have the whole command line of the agent that it started.
  const known = new Set<number>();
  for (let pid of [self, ...own]) {
    for (; pid > 0 && !known.has(pid); pid = parents.get(pid) ?? 0) known.add(pid);
  }
  const found = (await Promise.all(
    pids.filter((pid) => !known.has(pid)).map(async (pid) => {
      const words = (await read(`${proc}/${pid}/cmdline`)).split("\0");
      const at = words.findIndex((word, at) =>
        /(^|\/)(komari-agent|agent)[^/ ]*$/.test(word) ||
        // With a file, since a shell has -c with commands.
        /^(?:(?:--config|-c)[ =]\S+$|(?:-e|--endpoint)[ =]?https?:)/.test(
          `${word} ${words[at + 1]}`,
        )
      );
      // Another command of this program, such as a doctor, does not report.
      const [first = "", second = ""] = words.slice(at + 1);
      const isOther = first !== "report" && (isCommand(first) || isCommand(`${first} ${second}`));
      if (at === -1 || isOther) return [];
      const given = `\0${words.join("\0")}\0${await read(`${proc}/${pid}/environ`)}`;
      const named = new Set([...given.matchAll(NAMED_FILES)].map(([, path = ""]) => path));
      const files = [...named].slice(0, MAX_FILES)
        .map((path) => path.startsWith("/") ? path : `${proc}/${pid}/cwd/${path}`);
      const status = await read(`${proc}/${pid}/status`);
      const texts = await Promise.all(files.map((path) => readAs(status, path)));
      const has = (token: string) =>
        given.split("\0").some((word) =>
          word === token || word === `-t${token}` || word.endsWith(`=${token}`)
        ) ||
        texts.some((text) => text.trim() === token || text.includes(JSON.stringify(token)));
      if (!Array.from(tokens).some(has) || usesFolder(`${proc}/${pid}/fd`, folders)) return [];
      const program = words.slice(0, at + 1).findLast((word) => /^[^-].*\//.test(word));
      return [{ name: foreignWords(basename(program ?? words[0] ?? ""), 64), pid }];
    }),
  )).flat();
  // An agent may have started others, such as its helper shell.
  const holders = new Set([self, ...own, ...found.map(({ pid }) => pid)]);
  return found.filter(({ pid }) => !holders.has(parents.get(pid) ?? 0));
}

/** Whether a process has a file of these folders open. */
function usesFolder(descriptors: string, folders: readonly string[]): boolean {
  const names = attempt(() => Array.from(Deno.readDirSync(descriptors), ({ name }) => name)) ?? [];
  return names.some((name) => {
    const target = attempt(() => Deno.readLinkSync(`${descriptors}/${name}`)) ?? "";
    return folders.some((folder) => target.startsWith(`${folder}/`));
  });
}

/**
 * Reads a file that a process names, if the real user of the process may read it, since a user may give root's
 * `su` any words; empty for one without a length, as devices and kernel files, for a long one, and for one that
 * another user could replace by a device meanwhile.
 */
async function readAs(status: string, path: string): Promise<string> {
  const [uid = NaN, gid = NaN] = ["Uid", "Gid"].map((name) =>
    Number(new RegExp(`^${name}:\\s(\\d+)`, "m").exec(status)?.[1] ?? NaN)
  );
  const real = await Deno.realPath(path).catch(() => "");
  const file = await Deno.stat(real).catch(() => undefined);
  if (!file?.isFile || file.size === 0 || file.size > MAX_BYTES) return "";
  const mayRead = uid === 0 || barrierTo(real, { uid, gids: [gid] }) === undefined;
  return mayRead && changeablePart(real) === undefined ? await read(real) : "";
}

/**
 * Reads the beginning of a file: a process may show gigabytes as its command line. Not synchronously, since
 * a process whose memory hangs, or a file of a server that does, never ends.
 */
async function read(path: string): Promise<string> {
  const start = new BoundedBytes(MAX_BYTES);
  try {
    if (!(await Deno.stat(path)).isFile) return "";
    const { readable } = await Deno.open(path);
    for await (const part of readable) if (!start.add(part)) break;
  } catch {
    // A process that has ended, or a file of another user's.
  }
  return new TextDecoder().decode(start.bytes);
}
