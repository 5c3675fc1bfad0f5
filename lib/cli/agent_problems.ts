import type { Translation } from "../config/language.ts";
import { SHORT_CONNECTIONS_LIMIT } from "../panel/link_machine.ts";
import type { PanelHealth, ProblemPart } from "../state/health_file.ts";
import type { Health } from "../state/health_reader.ts";

/** Something that a running agent has seen and that does not stop its reports. */
export interface AgentProblem {
  /** A part of the agent, or its connections. */
  readonly part: ProblemPart | "connections";
  readonly text: Translation;
}

const PARTS: Readonly<Record<ProblemPart, Translation>> = {
  registration: { en: "this machine can't be registered", zh: "无法注册本机" },
  state: { en: "the month's traffic can't be kept", zh: "无法保存本月流量" },
  ping: { en: "ICMP probes don't work", zh: "ICMP 探测不可用" },
  metrics: { en: "metrics can't be served", zh: "无法提供 Prometheus 指标" },
  gpu: { en: "graphics cards can't be measured", zh: "无法采集显卡数据" },
  authorities: { en: "some certificates can't be loaded", zh: "部分证书无法加载" },
};

/** The problems that the agent has seen, in the order of its parts. */
export function agentProblems({ problems, panels }: Health): AgentProblem[] {
  return [
    ...panels.filter(closesSoon).map((panel) => ({
      part: "connections" as const,
      text: closesSoonText(panel, { isOnly: panels.length === 1 }),
    })),
    ...problems.map(({ part, text }) => ({
      part,
      text: { en: `${PARTS[part].en}: ${text}`, zh: `${PARTS[part].zh}：${text}` },
    })),
  ];
}

/** Whether WebSockets to a panel are closed again and again soon after they opened. */
export function closesSoon({ shortConnections = 0 }: PanelHealth): boolean {
  return shortConnections >= SHORT_CONNECTIONS_LIMIT;
}

function closesSoonText(
  { panel, shortConnections }: PanelHealth,
  { isOnly }: { isOnly: boolean },
): Translation {
  return {
    en: `${isOnly ? "the panel" : panel} closed the last ${shortConnections} connections soon ` +
      "after they opened: most likely another agent runs with the same token",
    zh: `${isOnly ? "面板" : panel} 在连接建立后不久就关闭了它，已连续 ${shortConnections} 次：` +
      "很可能有另一个 Agent 在使用同一个令牌",
  };
}

/** The same for programs, in English. */
export function problemsJson(health: Health): { part: string; text: string }[] {
  return agentProblems(health).map(({ part, text }) => ({ part, text: text.en }));
}
