/**
 * The command `status`: what the running agent does, by its health file, and its service.
 *
 * @module
 */

import { attempt } from "../attempt.ts";
import type { Config } from "../config/config.ts";
import type { Language, Translation } from "../config/language.ts";
import type { PanelHealth } from "../state/health_file.ts";
import { type Health, readHealth } from "../state/health_reader.ts";
import { formatByteCount } from "../parse/byte_size.ts";
import {
  agentFolders,
  findService,
  type ServiceState,
  serviceText,
} from "../service/installed_service.ts";
import { PROBE_KINDS, type ProbeKind } from "../types.ts";
import { agentProblems, problemsJson } from "./agent_problems.ts";
import type { CommandContext } from "./command.ts";
import { healthProblem } from "./health.ts";
import { padded } from "./help.ts";
import { jsonText, terminalColumns } from "./output.ts";
import { wrapped } from "./checks.ts";

/** Everything that `status` shows. */
export interface Status {
  readonly health: Health | undefined;
  /** Memory of the agent in bytes, `undefined` if unknown. */
  readonly memoryBytes: number | undefined;
  /** `undefined` if it is not installed as a service. */
  readonly service: ServiceState | undefined;
  readonly nowMs: number;
}

const TEXTS = {
  none: { en: "No agent runs here that this user can see", zh: "没有看到正在运行的 Agent" },
  agent: { en: "Agent", zh: "Agent" },
  panel: { en: "Panel", zh: "面板" },
  report: { en: "Last report", zh: "上次上报" },
  failure: { en: "Last failure", zh: "上次失败" },
  probes: { en: "Probes", zh: "探测" },
  memory: { en: "Memory", zh: "内存" },
  seal: { en: "Seal", zh: "封闭" },
  problem: { en: "Problem", zh: "问题" },
  service: { en: "Service", zh: "服务" },
} as const satisfies Readonly<Record<string, Translation>>;

/** Columns of the names. */
const NAME_WIDTH = 14;

/** Prints the state of the agent; the exit code is 0 if its reports are accepted. */
export async function runStatus(config: Config, context: CommandContext): Promise<number> {
  const { env, signal } = context;
  const health = readHealth(agentFolders(config, env));
  const status: Status = {
    health,
    memoryBytes: health?.isRunning ? memoryOf(health.pid) : undefined,
    service: await findService(config.serviceName, { env, signal }),
    nowMs: Date.now(),
  };
  const { json, language } = config;
  const columns = terminalColumns(env);
  const { inLanguage } = context;
  const layout = { language, columns, inLanguage };
  context.print(json ? statusJson(status) : statusText(status, layout));
  return healthProblem(health, status.nowMs) === undefined ? 0 : 1;
}

/** The state for people. */
export function statusText(
  status: Status,
  { language, columns = Infinity, inLanguage = (text) => text }: {
    language: Language;
    columns?: number;
    /** Puts errors, which come in English, into the language. */
    inLanguage?: (text: string) => string;
  },
): string {
  const { health, memoryBytes, service, nowMs } = status;
  const rows: [keyof typeof TEXTS, string][] = [];
  if (health !== undefined) {
    rows.push(["agent", agentText(health, nowMs)[language]]);
    for (const panel of health.panels) rows.push(...panelRows(panel, { health, nowMs, language }));
    if (memoryBytes !== undefined) rows.push(["memory", formatByteCount(memoryBytes)]);
    if (health.sandbox !== "") rows.push(["seal", health.sandbox]);
    for (const { text } of agentProblems(health)) rows.push(["problem", text[language]]);
  }
  if (service !== undefined) rows.push(["service", serviceText(service)[language]]);
  const head = health === undefined ? `${TEXTS.none[language]}\n` : "";
  return head +
    rows.map(([name, text]) => {
      const body = wrapped(inLanguage(text), { indent: NAME_WIDTH, columns });
      return `${padded(TEXTS[name][language], NAME_WIDTH)}${body}\n`;
    }).join("");
}

function agentText({ version, pid, isRunning, startedAtMs }: Health, nowMs: number): Translation {
  if (!isRunning) {
    return {
      en: `version ${version} exited unexpectedly (process ${pid})`,
      zh: `版本 ${version} 意外退出（进程 ${pid}）`,
    };
  }
  const since = startedAtMs === undefined ? "" : duration(nowMs - startedAtMs);
  return {
    en: `version ${version}, process ${pid}${since && `, running for ${since}`}`,
    zh: `版本 ${version}，进程 ${pid}${since && `，已运行 ${since}`}`,
  };
}

function panelRows(
  panel: PanelHealth,
  { health, nowMs, language }: { health: Health; nowMs: number; language: Language },
): [keyof typeof TEXTS, string][] {
  const { transport, sinceMs, acceptedAtMs, failures, error } = panel;
  const since = duration(nowMs - sinceMs);
  const connection: Translation = transport === undefined
    ? { en: `${panel.panel}, not connected for ${since}`, zh: `${panel.panel}，未连接已 ${since}` }
    : {
      en: `${panel.panel}, by ${transport} for ${since}`,
      zh: `${panel.panel}，经 ${transport} 已 ${since}`,
    };
  const interval = health.intervalMs > 0 ? `${health.intervalMs / 1000} s` : "";
  const report: Translation = acceptedAtMs === undefined
    ? { en: "none was accepted yet", zh: "还没有被接受过" }
    : {
      en: `accepted ${duration(nowMs - acceptedAtMs)} ago${interval && ` (${interval})`}`,
      zh: `${duration(nowMs - acceptedAtMs)} 前被接受${interval && `（${interval}）`}`,
    };
  const rows: [keyof typeof TEXTS, string][] = [
    ["panel", connection[language]],
    ["report", report[language]],
  ];
  if (error !== undefined) {
    const ago = duration(nowMs - error.atMs);
    const count: Translation = failures === 0 ? { en: "", zh: "" } : {
      en: ` (${failures} since the last report)`,
      zh: `（上次上报之后共 ${failures} 次）`,
    };
    const text: Translation = {
      en: `${ago} ago${count.en}: ${error.text}`,
      zh: `${ago} 前${count.zh}：${error.text}`,
    };
    rows.push(["failure", text[language]]);
  }
  rows.push(["probes", probesText(panel)[language]]);
  return rows;
}

const KINDS: Readonly<Record<ProbeKind, string>> = { icmp: "ICMP", tcp: "TCP", http: "HTTP" };

function probesText({ probes, kinds = {}, lastMinute = 0, lost = 0 }: PanelHealth): Translation {
  const counts = PROBE_KINDS.flatMap((kind) => {
    const count = kinds[kind] ?? 0;
    return count === 0 ? [] : [`${count} ${KINDS[kind]}`];
  });
  const results = lastMinute === 0 ? { en: "", zh: "" } : {
    en: `, ${lastMinute} in the last minute, ${lost} lost`,
    zh: `，最近一分钟 ${lastMinute} 次，丢失 ${lost} 次`,
  };
  return {
    en: `${probes}${counts.length === 0 ? "" : ` (${counts.join(", ")})`}${results.en}`,
    zh: `${probes}${counts.length === 0 ? "" : `（${counts.join("、")}）`}${results.zh}`,
  };
}

/** A duration such as `0.4 s`, `42 s`, `5 min`, `3 h` or `2 d`, rounded down. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}

function statusJson({ health, memoryBytes, service, nowMs }: Status): string {
  const time = (ms: number | undefined) =>
    ms === undefined ? undefined : new Date(ms).toISOString();
  const problem = healthProblem(health, nowMs);
  const shown = {
    healthy: problem === undefined,
    problem,
    running: health?.isRunning ?? false,
    pid: health?.pid,
    version: health?.version,
    startedAt: time(health?.startedAtMs),
    intervalSeconds: health && health.intervalMs > 0 ? health.intervalMs / 1000 : undefined,
    memoryBytes,
    sandbox: health?.sandbox,
    panels: health?.panels.map((it) => ({
      panel: it.panel,
      transport: it.transport,
      since: time(it.sinceMs),
      acceptedAt: time(it.acceptedAtMs),
      failures: it.failures,
      error: it.error && { text: it.error.text, at: time(it.error.atMs) },
      probes: it.probes,
      probeKinds: it.kinds,
      probesLastMinute: it.lastMinute,
      probesLostLastMinute: it.lost,
    })),
    problems: health && problemsJson(health),
    service,
  };
  return jsonText(shown);
}

/** Resident memory of a process from `/proc/PID/status`, in bytes. */
function memoryOf(pid: number): number | undefined {
  const text = attempt(() => Deno.readTextFileSync(`/proc/${pid}/status`)) ?? "";
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(text) ?? [];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}
