/**
 * The checks of `doctor` about the installed service and the agents that run here.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import type { Translation } from "../config/language.ts";
import { panelName } from "../config/panels.ts";
import { isInContainerImage } from "../host/this_program.ts";
import {
  agentFolders,
  findService,
  type ServiceState,
  serviceText,
} from "../service/installed_service.ts";
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
      { en: "Service", zh: "服务" },
      (signal) => checkService(config, { env, health, signal }),
    ),
    check("agent", { en: "Running agent", zh: "运行中的 Agent" }, () => checkAgent(config, health)),
    check(
      "agents",
      { en: "Other agents", zh: "其他 Agent" },
      (signal) => checkOtherAgents(config, { env, health, signal }),
    ),
    check("probes", { en: "Probes", zh: "探测" }, () => checkProbes(health)),
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
      ? result("skipped", { en: "not used in a container", zh: "容器中不使用" })
      : result("skipped", { en: "not installed as a service", zh: "没有安装为服务" }, {
        en: "`install` starts it at every boot",
        zh: "用 `install` 可以让它开机自动启动",
      });
  }
  const text = serviceText(service);
  if (service.isActive && health === undefined) return restartingService(service, text);
  if (service.isActive && service.isEnabled) return result("ok", text);
  if (service.isActive) {
    return result("warning", text, {
      en: `start it at boot: ${service.enable}`,
      zh: `让它开机自动启动：${service.enable}`,
    });
  }
  return stoppedService(service, text);
}

/** A service that does not run: one that was stopped, or one that ends again and again. */
function stoppedService(
  { start, logHint, lastError }: ServiceState,
  text: Translation,
): CheckResult {
  if (lastError === "") {
    return result("failed", text, {
      en: `start it: ${start}; its log: ${logHint}`,
      zh: `启动它：${start}；它的日志：${logHint}`,
    });
  }
  return result("failed", {
    en: `${text.en}; the last line of its log: ${lastError}`,
    zh: `${text.zh}；日志的最后一行：${lastError}`,
  }, {
    en: `repair that, and then: ${start}; its log: ${logHint}`,
    zh: `修复后执行：${start}；它的日志：${logHint}`,
  });
}

/** A service whose agent is not seen: it has just started, or ends again and again. */
function restartingService({ logHint, lastError }: ServiceState, text: Translation): CheckResult {
  const cause: Translation = lastError === "" ? { en: "", zh: "" } : {
    en: `; the last error in its log: ${lastError}`,
    zh: `；日志中最后的错误：${lastError}`,
  };
  return result("failed", {
    en: `${text.en}, but no agent of it is seen${cause.en}`,
    zh: `${text.zh}，但看不到它的 Agent${cause.zh}`,
  }, {
    en: `it has just started, or ends again and again: ${logHint}`,
    zh: `它可能刚刚启动，或在反复退出：${logHint}`,
  });
}

function checkAgent(config: Config, health: Health | undefined): CheckResult {
  if (health === undefined) {
    return result("skipped", {
      en: "no agent runs here that this user can see",
      zh: "没有看到正在运行的 Agent",
    });
  }
  const { version, pid } = health;
  const ours = [config, ...config.furtherPanels].filter(({ endpoint }) => endpoint !== "")
    .map(panelName);
  const others = health.panels.map(({ panel }) => panel);
  if (ours.length > 0 && others.length > 0 && !others.some((panel) => ours.includes(panel))) {
    const names = others.join(", ");
    return result("skipped", {
      en: `process ${pid} reports to ${names}, and not to this panel`,
      zh: `进程 ${pid} 上报到 ${names}，而不是这个面板`,
    });
  }
  const nowMs = Date.now();
  const problem = healthProblem(health, nowMs);
  const ago = duration(nowMs - (health.acceptedAtMs ?? nowMs));
  const text: Translation = {
    en: `version ${version}, process ${pid}: ${problem ?? `a report was accepted ${ago} ago`}`,
    zh: `版本 ${version}，进程 ${pid}：${problem ?? `${ago} 前的上报被接受`}`,
  };
  const unregistered = agentProblems(health).find(({ part }) => part === "registration");
  if (problem !== undefined && unregistered !== undefined) {
    return result("failed", {
      en: `${text.en}; ${unregistered.text.en}`,
      zh: `${text.zh}；${unregistered.text.zh}`,
    }, {
      en:
        "where the panel refuses it, copy the key of --auto-discovery from the panel's settings " +
        "again; else the checks of the panel below find the cause",
      zh:
        "如果是面板拒绝，请从面板的设置中重新复制 --auto-discovery 的密钥；否则下面对面板的检查会找出原因",
    });
  }
  if (problem !== undefined) {
    return result("failed", text, {
      en: "the checks of the panel below find the cause; if they find none, restart the agent",
      zh: "下面对面板的检查会找出原因；如果都正常，请重启 Agent",
    });
  }
  // Others have a check of their own.
  const found = agentProblems(health).find(({ part }) => part === "authorities" || part === "gpu");
  if (found === undefined) return result("ok", text);
  const isGpu = found.part === "gpu";
  return result(isGpu ? "failed" : "warning", {
    en: `${text.en}; ${found.text.en}`,
    zh: `${text.zh}；${found.text.zh}`,
  }, isGpu ? GPU_ADVICE : AUTHORITIES_ADVICE);
}

const AUTHORITIES_ADVICE: Translation = {
  en: "check the files that SSL_CERT_FILE, SSL_CERT_DIR and DENO_CERT name",
  zh: "请检查 SSL_CERT_FILE、SSL_CERT_DIR 和 DENO_CERT 指定的文件",
};

const GPU_ADVICE: Translation = {
  en: "check the driver (nvidia-smi), or leave out --gpu",
  zh: "请检查驱动（nvidia-smi），或去掉 --gpu",
};

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
    return result("failed", {
      en: `the official agent's service ${names} runs with the same token`,
      zh: `官方 Agent 的服务 ${names} 正在使用同一个令牌`,
    }, {
      en: "both report as one node; `install --replace` takes its place",
      zh: "两者会以同一个节点上报；用 `install --replace` 取代它",
    });
  }
  const processes = otherProcesses(ours, health);
  if (processes.length > 0) {
    return result("failed", {
      en: `another agent runs with the same token: ${
        processes.map(({ name, pid }) => `${name} (process ${pid})`).join(", ")
      }`,
      zh: `另一个 Agent 正在使用同一个令牌：${
        processes.map(({ name, pid }) => `${name}（进程 ${pid}）`).join("、")
      }`,
    }, {
      en: "stop one of them, or give each node a token of its own",
      zh: "请停止其中一个，或让每个节点使用自己的令牌",
    });
  }
  const closed = health?.panels.filter(closesSoon).map(({ panel }) => panel) ?? [];
  if (closed.length > 0) {
    return result("failed", {
      en: `${closed.join(", ")} closes each connection soon after it opened: most likely another ` +
        "agent, here or on another machine, runs with the same token",
      zh: `${closed.join("、")} 在连接建立后不久就将其关闭：很可能有另一个 Agent（在本机或其他` +
        "机器上）在使用同一个令牌",
    }, {
      en: "look for a copy of this machine or of its configuration, and give each its own token; " +
        "if there is none, a proxy in front of the panel closes them: raise its timeouts " +
        "(nginx: proxy_read_timeout 60s)",
      zh: "请查找本机或其配置的副本，并让每个节点使用自己的令牌；" +
        "如果没有副本，则是面板前面的代理关闭了连接：请延长其超时（nginx：proxy_read_timeout 60s）",
    });
  }
  if (officials.length === 0) {
    return result("ok", {
      en: "none with the same token here",
      zh: "本机没有使用同一令牌的其他 Agent",
    });
  }
  const names = officials.map(({ serviceName }) => serviceName).join(", ");
  return result("warning", {
    en: `the official agent's service ${names} runs here too, as another node`,
    zh: `官方 Agent 的服务 ${names} 也在本机运行，是另一个节点`,
  }, {
    en: "fine if you want that; `install --replace` takes its place",
    zh: "如果是有意为之则无需处理；用 `install --replace` 可以取代它",
  });
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
    return result("skipped", { en: "none ran in the last minute", zh: "最近一分钟没有探测" });
  }
  const text = {
    en: `${run} in the last minute, ${lost} lost`,
    zh: `最近一分钟 ${run} 次，丢失 ${lost} 次`,
  };
  if (lost < run) return result("ok", text);
  return result("warning", text, {
    en:
      "the targets do not answer, or a firewall drops what is sent to them; `--log-level debug` " +
      "shows why each is lost",
    zh: "目标没有响应，或防火墙丢弃了发往它们的数据；`--log-level debug` 会显示每次丢失的原因",
  });
}
