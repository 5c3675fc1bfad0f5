/**
 * Checks every message of the agent, whatever its transport, and records violations of the contract.
 *
 * @module
 */

import type { Order } from "../../lib/demo/node.ts";
import type { Arrival, RpcFailure } from "../../lib/demo/rpc.ts";
import { validateBasicInfo, validatePingResult, validateTaskResult } from "./contracts.ts";
import {
  fileResultViolations,
  type StartupConfig,
  validateFileResult,
  validateStartupConfig,
} from "./file_contract.ts";
import type { TestFault } from "./test_fault.ts";
import type { Generation } from "./generation.ts";
import { validateReport } from "./report_contract.ts";
import { fields, findDeviations, type Schema, type Validation } from "./schema.ts";
import type { TestPanelState } from "./test_panel_state.ts";
import {
  isWireObject,
  parseWireJson,
  stringIn,
  type WireObject,
  type WireValue,
  writeWireJson,
} from "./wire_json.ts";

/** When and by which version of the protocol a message came, and the fault that affects it. */
export interface MessageContext {
  readonly atMs: number;
  readonly version: 1 | 2;
  readonly fault: TestFault | undefined;
}

const text = { kind: "string" } as const;
const texts = { kind: "list", of: text } as const;
const envelopeSchema = fields({ jsonrpc: text, method: text }, ["jsonrpc", "method"]);
const reportParamsSchema = fields({ ack_event_ids: texts }, ["ack_event_ids"]);
const pullParamsSchema = fields({ capabilities: texts, ack_event_ids: texts }, [
  "capabilities",
  "ack_event_ids",
]);

/** Methods that agents try although older panels do not know them: by the last they learn the version. */
const NEWER_METHODS = ["agent.taskResult", "agent.noop", "agent.startupConfig.result"];

/** Checks messages against the contract of a generation. */
export class ContractChecker {
  readonly #token: string;
  readonly #state: TestPanelState;
  readonly #generation: Generation;
  /** Commands without a result so far; panels with sessions accept a result again. */
  readonly #expectedCommands = new Set<string>();
  /** The operation of each file request without a result so far. */
  readonly #fileOperations = new Map<string, string>();

  constructor(options: { token: string; state: TestPanelState; generation: Generation }) {
    this.#token = options.token;
    this.#state = options.state;
    this.#generation = options.generation;
  }

  /** Expects the result of an order. */
  expectResult({ method, params }: Order): void {
    if (method === "agent.exec") this.#expectedCommands.add(String(params["task_id"]));
    if (method === "agent.file") {
      this.#fileOperations.set(String(params["request_id"]), String(params["op"]));
    }
  }

  /** Validates a report. */
  report(body: string, context: MessageContext): ReturnType<typeof validateReport> {
    return this.#record(validateReport(body, this.#options(context)), context);
  }

  /** Validates basic info. */
  basicInfo(body: string, context: MessageContext): ReturnType<typeof validateBasicInfo> {
    const { lacksNewerColumns } = context.fault ?? {};
    const options = { ...this.#options(context), lacksNewerColumns };
    return this.#record(validateBasicInfo(body, options), context);
  }

  /** Validates a ping result. */
  pingResult(body: string, context: MessageContext): ReturnType<typeof validatePingResult> {
    const options = { ...this.#options(context), tasks: this.#state.tasks };
    return this.#record(validatePingResult(body, options), context);
  }

  /** Validates the result of a command. */
  taskResult(body: string, context: MessageContext): ReturnType<typeof validateTaskResult> {
    const isKnown = (taskId: string) =>
      this.#generation.hasSessions
        ? this.#expectedCommands.has(taskId)
        : this.#expectedCommands.delete(taskId);
    return this.#record(validateTaskResult(body, { ...this.#options(context), isKnown }), context);
  }

  /** Validates the answer to a request for the agent's configuration. */
  startupConfig(body: string, context: MessageContext): Validation<StartupConfig> {
    return this.#record(validateStartupConfig(body), context);
  }

  /** Checks a message of version 2; returns the error that the panel answers, if it does. */
  rpcMessage(
    message: string,
    { by, atMs }: Arrival,
    fault: TestFault | undefined,
  ): RpcFailure | undefined {
    this.checkForToken(message, { subject: "rpc", atMs });
    let request: WireValue;
    try {
      request = parseWireJson(message) ?? {};
    } catch (error) {
      this.reject("rpc: is no JSON object", atMs);
      return { code: -32700, message: "parse error", data: String(error) };
    }
    if (!isWireObject(request)) {
      this.reject("rpc: is no JSON object", atMs);
      return { code: -32700, message: "parse error" };
    }
    const { params = {}, id: _id, ...envelope } = request;
    if (envelope["jsonrpc"] !== "2.0") {
      this.reject('rpc: jsonrpc is not "2.0"', atMs);
      return { code: -32600, message: "invalid jsonrpc version" };
    }
    this.#fits(envelope, envelopeSchema, atMs);
    if (fault?.rpcFailure !== undefined) return fault.rpcFailure;
    const method = stringIn(envelope, "method");
    if (!this.#knows(method)) {
      if (!NEWER_METHODS.includes(method)) this.reject("rpc: the method is unknown", atMs);
      return { code: -32601, message: "method not found", data: method };
    }
    if (method === "agent.pull") {
      this.#state.count("pulls");
      if (by === "v2 websocket" && !this.#generation.hasSessions) {
        this.addViolations(["rpc: a pull came over a WebSocket"], atMs);
      }
    }
    return this.#rpcParams(method, params, { atMs, version: 2, fault });
  }

  /** Records violations of the contract, without the token. */
  addViolations(texts: readonly string[], atMs: number): void {
    for (const text of texts) {
      this.#state.addViolation({ atMs, text: text.replaceAll(this.#token, "[token]") });
    }
  }

  /** Rejects a message whose kind or content can't be read. */
  reject(text: string, atMs: number): void {
    this.addViolations([text], atMs);
    this.#state.countRefused();
  }

  /** Records a violation when a message holds the token. */
  checkForToken(message: string, options: { subject: string; atMs: number }): void {
    if (!message.includes(this.#token)) return;
    this.addViolations([`${options.subject}: holds the token`], options.atMs);
  }

  #knows(method: string): boolean {
    const { hasSessions, managesAgents } = this.#generation;
    switch (method) {
      case "agent.report":
      case "agent.basicInfo":
      case "agent.pingResult":
      case "agent.pull":
        return true;
      case "agent.taskResult":
      case "agent.file.result":
        return hasSessions;
      default:
        return method === "agent.startupConfig.result" && managesAgents;
    }
  }

  #rpcParams(method: string, params: WireValue, context: MessageContext): RpcFailure | undefined {
    const { atMs } = context;
    switch (method) {
      case "agent.report": {
        const { report = {}, ...rest } = isWireObject(params) ? params : { report: params };
        if (!this.#fits(rest, reportParamsSchema, atMs)) return this.#invalid("report", atMs);
        return this.#check("report", report, context, (body) => this.report(body, context));
      }
      case "agent.basicInfo": {
        const { info = {}, ...rest } = isWireObject(params) ? params : { info: params };
        this.#fits(rest, fields({}), atMs);
        return this.#check("basic info", info, context, (body) => this.basicInfo(body, context));
      }
      case "agent.pingResult":
        return this.#check(
          "ping result",
          params,
          context,
          (body) => this.pingResult(body, context),
        );
      case "agent.taskResult":
        return this.#check(
          "task result",
          params,
          context,
          (body) => this.taskResult(body, context),
        );
      case "agent.file.result":
        return this.#fileResult(params, context);
      case "agent.pull":
        return isWireObject(params) && this.#fits(params, pullParamsSchema, atMs)
          ? undefined
          : this.#invalid("pull", atMs);
      default:
        return undefined;
    }
  }

  /** Checks a value by a contract; the errors are those of version 2. */
  #check(
    kind: string,
    value: WireValue,
    { atMs }: MessageContext,
    validate: (body: string) => Validation<unknown>,
  ): RpcFailure | undefined {
    if (!isWireObject(value)) return this.#invalid(kind, atMs);
    const validation = validate(writeWireJson(value));
    if (validation.accepted) return undefined;
    const data = validation.violations[0] ?? "";
    return validation.answer.status === 400
      ? { code: -32602, message: `invalid ${kind} params`, data }
      : { code: -32000, message: `failed to save ${kind}`, data: databaseError(data) };
  }

  #fileResult(params: WireValue, context: MessageContext): RpcFailure | undefined {
    const { atMs } = context;
    if (!isWireObject(params)) return this.#invalid("result", atMs);
    const validation = this.#record(validateFileResult(writeWireJson(params)), context);
    if (!validation.accepted) return { code: -32602, message: "invalid params" };
    const { requestId } = validation.value;
    const op = this.#fileOperations.get(requestId);
    this.#fileOperations.delete(requestId);
    if (op === undefined) {
      this.addViolations(["rpc: agent.file.result answers no request"], atMs);
      return undefined;
    }
    this.addViolations(fileResultViolations(op, validation.value), atMs);
    return undefined;
  }

  #options({ version }: MessageContext): { generation: Generation; version: 1 | 2 } {
    return { generation: this.#generation, version };
  }

  #record<T>(validation: Validation<T>, { atMs }: MessageContext): Validation<T> {
    this.addViolations(validation.violations, atMs);
    if (!validation.accepted) this.#state.countRefused();
    return validation;
  }

  #invalid(kind: string, atMs: number): RpcFailure {
    this.reject(`rpc: the parameters of ${kind} can't be read`, atMs);
    return { code: -32602, message: `invalid ${kind} params` };
  }

  /** Records violations; false when a value is of a wrong type. */
  #fits(value: WireObject, schema: Schema, atMs: number): boolean {
    const findings = findDeviations(value, schema);
    this.addViolations(findings.map((one) => `rpc: ${one.text}`), atMs);
    return findings.every((one) => one.kind !== "type");
  }
}

/** The database's error for an unknown column, which agents may look for. */
function databaseError(violation: string): string {
  const column = /^basic info: (\w+) is not part/.exec(violation)?.[1];
  if (violation === "") return "no such column: kernel_version";
  return column === undefined ? violation : `no such column: ${column}`;
}
