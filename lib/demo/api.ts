/**
 * The calls of the HTTP interface, answered as the panel answers them.
 *
 * @module
 */

import { type Answer, jsonAnswer, textAnswer } from "./answer.ts";
import { checkBasicInfo } from "./basic_info_contract.ts";
import type { CallName } from "./fault.ts";
import type { PanelState } from "./panel_state.ts";
import { checkPingResult } from "./ping_result_contract.ts";
import { checkReport } from "./report_contract.ts";
import type { Verdict } from "./verdict.ts";
import { taskList } from "./wire_task.ts";

/** A call that was read to its end. */
export interface Exchange {
  readonly atMs: number;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What an answer depends on. */
export interface ApiContext {
  readonly token: string;
  readonly state: PanelState;
  /** Whether to answer as a panel that lacks the newer columns of basic info. */
  readonly oldPanel: boolean;
}

const calls: Readonly<Record<string, CallName>> = {
  "POST /api/clients/uploadBasicInfo": "basic info",
  "POST /api/clients/report": "report",
  "GET /api/clients/ping/tasks": "task list",
  "POST /api/clients/ping/result": "ping result",
};

/** Which of an agent's calls this is; `undefined` for any other path. */
export function callName(exchange: Pick<Exchange, "method" | "path">): CallName | undefined {
  const key = `${exchange.method} ${exchange.path}`;
  return Object.hasOwn(calls, key) ? calls[key] : undefined;
}

/**
 * Answers a call and remembers what it brought.
 *
 * `undefined` when the path is none of the interface and a page is what the panel would send.
 */
export function answerCall(exchange: Exchange, context: ApiContext): Answer | undefined {
  const origin = exchange.headers["origin"];
  if (origin !== undefined && origin !== `http://${exchange.headers["host"]}`) {
    return { status: 403, headers: {}, body: "" };
  }
  const name = callName(exchange);
  const isUpgradePath = exchange.method === "GET" && exchange.path === "/api/clients/report";
  if (name === undefined && !isUpgradePath) {
    return exchange.method === "GET" ? undefined : textAnswer(404, "404 page not found");
  }
  if (exchange.query.get("token") !== context.token) {
    return jsonAnswer(401, { status: "error", message: "Unauthorized." });
  }
  return name === undefined
    ? jsonAnswer(400, { status: "error", error: "Require WebSocket upgrade" })
    : answerKnown(name, exchange, context);
}

function answerKnown(
  name: CallName,
  exchange: Exchange,
  context: ApiContext,
): Answer {
  const { body } = exchange;
  const { state } = context;
  if (body.includes(context.token)) note([`${name}: holds the token`], exchange, context);
  switch (name) {
    case "task list":
      state.count("taskLists");
      return { ...jsonAnswer(200, null), body: taskList(state.tasks) };
    case "basic info":
      return settle(
        checkBasicInfo(body, { oldPanel: context.oldPanel }),
        (arrival) => state.addBasicInfo(arrival),
        { exchange, context },
      );
    case "report":
      return settle(checkReport(body), (arrival) => state.addReport(arrival), {
        exchange,
        context,
      });
    case "ping result":
      return settle(
        checkPingResult(body, { tasks: state.tasks }),
        (arrival) => state.addPingResult(arrival),
        { exchange, context },
      );
  }
}

function settle<T>(
  verdict: Verdict<T>,
  add: (arrival: { atMs: number; body: string; value: T }) => void,
  call: { exchange: Exchange; context: ApiContext },
): Answer {
  const { exchange, context } = call;
  note(verdict.violations, exchange, context);
  if (!verdict.accepted) {
    context.state.count("refused");
    return verdict.answer;
  }
  add({ atMs: exchange.atMs, body: exchange.body, value: verdict.value });
  return jsonAnswer(200, { status: "success" });
}

function note(texts: readonly string[], exchange: Exchange, context: ApiContext): void {
  for (const text of texts) {
    context.state.addViolation({
      atMs: exchange.atMs,
      text: text.replaceAll(context.token, "[token]"),
    });
  }
}
