/**
 * The panel that the tests run agents against: of any generation, with every message checked against
 * the contract and with faults of all kinds. It answers messages as the demo's panel does.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { delay } from "@std/async/delay";
import { setImmediate } from "node:timers";
import type { WebSocket } from "ws";
import { schedulePings } from "../../lib/demo/stand_in_panel.ts";
import type { WireTask } from "../../lib/demo/panel_state.ts";
import { answerRpc, type Arrival, rpcError, type RpcReply, rpcResult } from "../../lib/demo/rpc.ts";
import { errorCode } from "../../lib/attempt.ts";
import { jsonFields, parseJson } from "../../lib/parse/json.ts";
import { ContractChecker } from "./contract_checker.ts";
import { type Generation, type GenerationName, generations } from "./generation.ts";
import { FileManager } from "./file_manager.ts";
import { TRANSFER_PATH } from "./file_transfers.ts";
import { GenerationNode } from "./generation_node.ts";
import {
  type Answer,
  callName,
  htmlAnswer,
  isForeignOrigin,
  jsonAnswer,
  messageName,
  readHead,
  readRequest,
  type ReceivedRequest,
  type RequestHead,
  RPC_PATH,
  textAnswer,
  writeAnswer,
  writeRawAnswer,
} from "./http.ts";
import { Listener, type RequestHandler, type UpgradeRequest } from "./listener.ts";
import { NodeSocket } from "./node_socket.ts";
import { type RegisteredNodeEntry, Registry } from "./registry.ts";
import { readTaskResult } from "./contracts.ts";
import type { OpenSocket, TestFault } from "./test_fault.ts";
import { TestPanelState } from "./test_panel_state.ts";
import { TerminalSessions } from "./terminal_sessions.ts";
import { PlainTerminal, TestTerminal } from "./test_terminal.ts";
import {
  answerV1Call,
  handleV1Message,
  isV1Call,
  V1_REPORT_PATH,
  v1CallName,
  type V1Context,
} from "./v1_interface.ts";

/** Options of the tests' panel. */
export interface TestPanelOptions {
  /** A random one when absent. */
  readonly token?: string;
  /** Any free one by default. */
  readonly port?: number;
  /** The key for auto-discovery, of 12 characters or more; without it registration is refused. */
  readonly discoveryKey?: string;
  readonly tasks?: readonly WireTask[];
  readonly fault?: TestFault | undefined;
  /** 1.4 by default. */
  readonly generation?: GenerationName;
  /** Time that a pull waits for events; 25 s by default. */
  readonly pullWaitMs?: number;
  /** Time that a WebSocket may send no data; by default that of the generation. */
  readonly dataTimeoutMs?: number;
}

/** The path of terminals, which are WebSockets. */
const TERMINAL_PATH = "/api/clients/terminal";
const UPGRADE_REQUIRED = jsonAnswer(400, {
  error: "Require WebSocket upgrade",
  status: "error",
});
/** The answer to a GET of any other path. */
const PAGE = htmlAnswer(200, "<!DOCTYPE html><html><head><title>Komari</title></head></html>");
const SESSION_NOT_FOUND = jsonAnswer(404, { error: "Session not found", status: "error" });

/** Results of probes are saved together, so often. */
const PING_QUEUE_MS = 3_000;

/** A second or so. */
const RESUME_TRIES = 10_000;

/** Time that the panel waits for the agent's configuration. */
const CONFIG_TIMEOUT_MS = 20_000;

/** A panel of any generation, which checks every message. */
export class TestPanel implements RequestHandler {
  readonly token: string;
  readonly node: GenerationNode;
  readonly files: FileManager;
  readonly terminals: TerminalSessions;
  readonly pullWaitMs: number;
  readonly dataTimeoutMs: number;
  readonly acceptsPings: boolean;
  readonly #closing = new AbortController();
  /** Aborts when the panel closes. */
  readonly signal: AbortSignal = this.#closing.signal;
  readonly #listener = new Listener(this);
  readonly #openSockets = new Set<OpenSocket>();
  readonly #generation: Generation;
  #pingQueue = { emptiedAtMs: -Infinity, length: 0 };
  readonly #registry: Registry;
  readonly #contract: ContractChecker;
  readonly #configRequests = new Map<string, (config: unknown) => void>();
  #fault: TestFault | undefined;
  /** A fault whose orders could not reach the node yet. */
  #pendingOrders: TestFault | undefined;

  constructor(options: TestPanelOptions) {
    const token = this.token = options.token ?? crypto.randomUUID();
    const generation: Generation = generations[options.generation ?? "1.4"];
    const state = new TestPanelState();
    const contract = new ContractChecker({ token, state, generation });
    const onOrder = contract.expectResult.bind(contract);
    const node = this.node = new GenerationNode(state, { generation, onOrder });
    this.#contract = contract;
    this.#generation = generation;
    this.#registry = new Registry(token, options.discoveryKey);
    this.pullWaitMs = options.pullWaitMs ?? 25_000;
    this.dataTimeoutMs = options.dataTimeoutMs ?? generation.dataTimeoutMs;
    this.acceptsPings = generation.acceptsPings;
    const onSecondDial = () => contract.addViolations(["terminal: was dialled before"], Date.now());
    this.files = new FileManager(node, this);
    this.terminals = new TerminalSessions(
      node,
      this,
      (id) =>
        generation.hasSessions
          // Such a panel takes a second connection in place of the first.
          ? new TestTerminal(id, { onSecondDial() {} })
          : new PlainTerminal(id, { onSecondDial }),
    );
    state.tasks = options.tasks ?? [];
    let openedBefore = 0;
    state.subscribe(() => {
      if (state.sockets.opened > openedBefore) this.#pendingOrders = this.#fault;
      openedBefore = state.sockets.opened;
      this.#sendPendingOrders();
    }, this);
  }

  /** Everything received so far; its `tasks` can be replaced. */
  get state(): TestPanelState {
    return this.node.state;
  }

  /** The port; 0 before `open()`. */
  get port(): number {
    return this.#listener.port;
  }

  /** The endpoint for agents; no trailing slash. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Whether nothing is sent or read on WebSockets. */
  get isMute(): boolean {
    return this.#faultOn("upgrade")?.isMute === true;
  }

  /** Listens on the port; 0 stands for any. @throws {Error} When it is in use. */
  async open(port: number): Promise<void> {
    await this.#listener.listen(port);
    schedulePings(this.node, this);
  }

  /** Closes the panel and every connection. */
  close(): void {
    this.#closing.abort(new Error("The panel was closed"));
    this.#listener.close();
  }

  /** The nodes that have registered so far. */
  get registrations(): readonly RegisteredNodeEntry[] {
    return this.#registry.registrations;
  }

  /** Removes the node of a token, which is refused from now on. */
  removeNode(token: string): void {
    this.#registry.remove(token);
  }

  /** Closes every connection of the agent, idle ones included; with `reset` by a TCP reset. */
  dropConnections({ reset = false } = {}): void {
    for (const socket of this.#listener.sockets) {
      if (reset) socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Starts a fault, which closes WebSockets if it prevents them, or ends it. */
  async setFault(fault: TestFault | undefined): Promise<void> {
    this.#fault = fault;
    this.#pendingOrders = fault;
    if (fault?.isDown === true) {
      this.#listener.server.close();
      this.dropConnections();
    } else if (!this.signal.aborted) {
      await this.#resume();
    }
    for (const open of [...this.#openSockets]) {
      const { answerUpgrade, isMute, playOnSocket } = this.#faultOn(open.call) ?? {};
      if (answerUpgrade !== undefined && isMute !== true) open.socket.destroy();
      await playOnSocket?.(open);
    }
  }

  /** Accepts connections again on the same port. */
  async #resume(): Promise<void> {
    for (let tries = 1; !this.#listener.server.listening; tries++) {
      try {
        await this.#listener.listen(this.port);
      } catch (error) {
        // A child that was being started then has a copy of the listener until it runs its program.
        if (errorCode(error) !== "EADDRINUSE" || tries === RESUME_TRIES) throw error;
        await new Promise((turn) => void setImmediate(turn));
      }
    }
  }

  #onOpen(open: OpenSocket): void {
    const { webSocket, socket, call } = open;
    this.#openSockets.add(open);
    webSocket.on("close", () => this.#openSockets.delete(open));
    // The library calls it to answer a close frame.
    const close = webSocket.close.bind(webSocket);
    webSocket.close = (code, reason) => {
      if (this.#faultOn(call)?.isMute !== true) close(code, reason);
    };
    Promise.resolve(this.#faultOn(call)?.playOnSocket?.(open)).catch(() => socket.destroy());
  }

  /**
   * Asks for the agent's configuration, as panels of main do.
   *
   * @throws {Error} When the node can't be reached, refuses or does not answer within 20 s.
   */
  async requestStartupConfig(): Promise<unknown> {
    const requestId = crypto.randomUUID();
    const params = { request_id: requestId };
    if (!this.node.sendOrder({ method: "agent.startupConfig", params })) {
      throw new Error("Cannot ask for the configuration: the node can't be reached");
    }
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => resolve(undefined), CONFIG_TIMEOUT_MS);
    this.#configRequests.set(requestId, resolve);
    try {
      const config = await promise;
      if (config === undefined) throw new Error("Cannot read the configuration: no answer");
      return config;
    } finally {
      clearTimeout(timer);
      this.#configRequests.delete(requestId);
    }
  }

  /** Orders the agent to change its version; false when the node can't be reached. */
  switchVersion(version: string): boolean {
    return this.node.sendOrder({ method: "agent.switchVersion", params: { version } });
  }

  /**
   * Sends anything at all over the present WebSocket.
   *
   * @throws {Error} When there is none (`Cannot send …`).
   */
  sendRaw(message: string | Uint8Array<ArrayBuffer>): void {
    if (this.node.connection === undefined) {
      throw new Error("Cannot send: the node has no WebSocket");
    }
    this.node.connection.send(message);
  }

  onConnection(): void {
    this.state.count("connections");
  }

  async onRequest(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const head = readHead(incoming);
    const { atMs, method, headers } = head;
    const isTransfer = head.path.startsWith(TRANSFER_PATH);
    const path = isTransfer ? TRANSFER_PATH : head.path;
    try {
      if (isTransfer && !this.#generation.hasSessions) {
        writeAnswer(response, method === "GET" ? PAGE : textAnswer(404, "404 page not found"));
      } else {
        if (head.path.startsWith("/api/")) await this.#delay();
        if (isTransfer) await this.#answerTransfer(incoming, response, head);
        else await this.#answerCall(incoming, response, head);
      }
    } finally {
      const status = response.headersSent ? response.statusCode : undefined;
      this.state.addCall({ atMs, method, path, headers, status });
    }
  }

  /** Answers a call of an agent, or sends the page; a fault may leave it without an answer. */
  async #answerCall(
    incoming: IncomingMessage,
    response: ServerResponse,
    head: RequestHead,
  ): Promise<void> {
    const request = await readRequest(incoming, head);
    if (request === undefined) return writeAnswer(response, textAnswer(413, "Too large"));
    const fault = head.path.startsWith("/api/") ? this.#faultOn(callName(request)) : undefined;
    if (fault?.answerCall !== undefined) return await fault.answerCall(response);
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const answer = await this.#answer(request, AbortSignal.any([this.signal, gone.signal]));
    if (!response.destroyed) writeAnswer(response, answer);
  }

  /** The answer to a call; the signal aborts when nobody waits for it any more. */
  async #answer(request: ReceivedRequest, signal: AbortSignal): Promise<Answer> {
    const { method, path, body, atMs } = request;
    const { hasV1, hasV2, version } = this.#generation;
    if (method === "POST" && path === "/api/clients/register") {
      return isForeignOrigin(request)
        ? { status: 403, headers: {}, body: "" }
        : this.#registry.register(request);
    }
    if (hasV1 && isV1Call(request)) {
      return this.#refuseStranger(request) ??
        answerV1Call(request, this.#v1Context(callName(request)));
    }
    if (method === "GET" && path === TERMINAL_PATH) {
      return this.#refuseStranger(request) ?? SESSION_NOT_FOUND;
    }
    if (method === "GET" && path === "/api/version") {
      const data = { version, hash: "unknown" };
      return jsonAnswer(200, { status: "success", message: "", data });
    }
    if (path !== RPC_PATH || !hasV2) {
      return method === "GET" ? PAGE : textAnswer(404, "404 page not found");
    }
    const refusal = this.#refuseStranger(request);
    if (refusal !== undefined || method !== "POST") return refusal ?? UPGRADE_REQUIRED;
    const reply = await this.#answerMessage(body, { by: "v2 post", atMs, signal });
    return { ...jsonAnswer(reply.status, null), body: reply.body };
  }

  async onUpgrade({ request, socket, accept }: UpgradeRequest): Promise<void> {
    const head = readHead(request);
    const { atMs, method, path, headers } = head;
    let status: number | undefined;
    try {
      await this.#delay();
      // Only connections of version 2 are compressed.
      if (path !== RPC_PATH) delete request.headers["sec-websocket-extensions"];
      const call = path === TERMINAL_PATH ? "terminal" : "upgrade";
      const fault = this.#faultOn(call);
      if (fault?.answerUpgrade !== undefined) return await fault.answerUpgrade(socket);
      const handler = this.#socketHandler(head);
      if (typeof handler !== "function") {
        status = handler.status;
        return writeRawAnswer(socket, handler);
      }
      status = 101;
      accept((webSocket) => {
        webSocket.on("error", () => {});
        webSocket.on("message", () => this.state.count("socketMessages"));
        handler(webSocket);
        this.#onOpen({ webSocket, socket, call });
      });
    } finally {
      this.state.addCall({ atMs, method, path, headers, status });
    }
  }

  /** What serves the WebSocket of a request, or the answer that refuses it. */
  #socketHandler(head: RequestHead): Answer | ((socket: WebSocket) => void) {
    const { hasV1, hasV2 } = this.#generation;
    const isV1 = head.path === V1_REPORT_PATH && hasV1;
    if (head.path === TERMINAL_PATH) return this.#terminalHandler(head);
    if (!isV1 && !(head.path === RPC_PATH && hasV2)) return PAGE;
    const refusal = this.#refuseStranger(head);
    if (refusal !== undefined) return refusal;
    if (head.headers["sec-websocket-extensions"]?.includes("window_bits")) {
      this.#contract.addViolations(["upgrade: offers window bits"], head.atMs);
    }
    return (socket) => isV1 ? this.#serveV1(socket) : this.#serveV2(socket);
  }

  #refuseStranger(head: RequestHead & { body?: string }): Answer | undefined {
    const { isLegacy, takesHeaderOnly } = this.#generation;
    if (!isLegacy && isForeignOrigin(head)) return { status: 403, headers: {}, body: "" };
    const token = takesHeaderOnly === true
      ? /^Bearer (.+)$/.exec(head.headers["authorization"] ?? "")?.[1] ?? null
      : head.query.get("token") ?? jsonFields(parseJson(head.body ?? "")).token;
    if (typeof token === "string" && this.#registry.isKnown(token)) return undefined;
    const reason = isLegacy ? { error: "invalid token" } : { message: "Unauthorized." };
    return jsonAnswer(401, { status: "error", ...reason });
  }

  /** A fault affects a transfer like any other call. */
  async #answerTransfer(
    incoming: IncomingMessage,
    response: ServerResponse,
    head: RequestHead,
  ): Promise<void> {
    // The body is a part of a file.
    const fault = this.#faultOn(callName({ ...head, body: "" }));
    if (fault?.answerCall !== undefined) return await fault.answerCall(response);
    const refusal = this.#refuseStranger(head);
    if (refusal === undefined) return await this.files.transfers.answer(incoming, response, head);
    incoming.resume();
    writeAnswer(response, refusal);
  }

  #terminalHandler(head: RequestHead): Answer | ((socket: WebSocket) => void) {
    const terminal = this.terminals.unfinished(head.query.get("id") ?? "");
    return this.#refuseStranger(head) ??
      (terminal?.acceptsDial === true
        ? (socket: WebSocket) => {
          socket.on("ping", (data) => socket.pong(data, undefined, () => {}));
          terminal.attach(socket);
        }
        : SESSION_NOT_FOUND);
  }

  #answerMessage(message: string, arrival: Arrival): Promise<RpcReply> {
    const { id, method, params } = jsonFields(parseJson(message));
    const fault = this.#faultOn(messageName(message));
    const failure = this.#contract.rpcMessage(message, arrival, fault);
    if (failure !== undefined) return Promise.resolve(rpcError(failure, id));
    if (method === "agent.startupConfig.result") {
      return Promise.resolve(this.#receiveConfig(params, id, arrival));
    }
    if (method === "agent.taskResult") {
      const { by, atMs } = arrival;
      this.state.addCommandResult({ by, atMs, value: readTaskResult(params) });
      return Promise.resolve(rpcResult({ status: "success" }, id));
    }
    if (method === "agent.file.result") {
      if (this.files.receiveResult(params)) {
        return Promise.resolve(rpcResult({ status: "success" }, id));
      }
      this.state.countRefused();
      return Promise.resolve(rpcError({ code: -32004, message: "request not found" }, id));
    }
    if (method === "agent.pingResult" && !this.#takesPingResult()) {
      const full = { code: -32000, message: "failed to save ping result" } as const;
      return Promise.resolve(rpcError({ ...full, data: "ping batch queue is full" }, id));
    }
    const wasPresent = this.node.isPresent;
    const reply = answerRpc(message, arrival, this);
    // A flaw of panels that know v1: a node that appears counts as one of v1 until its next message.
    if (this.#generation.hasV1 && method === "agent.report" && !wasPresent) this.node.countAsV1();
    return reply;
  }

  /** Puts a result of a probe into the queue, unless that is full. */
  #takesPingResult(): boolean {
    const { pingQueue = Infinity } = this.#generation;
    const nowMs = performance.now();
    if (nowMs - this.#pingQueue.emptiedAtMs >= PING_QUEUE_MS) {
      this.#pingQueue = { emptiedAtMs: nowMs, length: 0 };
    }
    return this.#pingQueue.length++ < pingQueue;
  }

  /** Waits as long as a slow panel does. */
  async #delay(): Promise<void> {
    const { delayMs } = this.#fault ?? {};
    if (delayMs !== undefined) await delay(delayMs, { signal: this.signal });
  }

  /** The fault that affects a call. */
  #faultOn(call: string): TestFault | undefined {
    const calls = this.#fault?.calls;
    return calls === undefined || calls.includes(call) ? this.#fault : undefined;
  }

  #v1Context(call: string): V1Context {
    return { node: this.node, contract: this.#contract, fault: this.#faultOn(call) };
  }

  #receiveConfig(params: unknown, id: unknown, { atMs }: Arrival): RpcReply {
    const context = { atMs, version: 2, fault: undefined } as const;
    const validation = this.#contract.startupConfig(JSON.stringify(params ?? {}), context);
    if (!validation.accepted) return rpcError({ code: -32602, message: "invalid params" }, id);
    const { requestId, config } = validation.value;
    const resolve = this.#configRequests.get(requestId);
    this.#configRequests.delete(requestId);
    resolve?.(config);
    if (resolve !== undefined) return rpcResult({ status: "success" }, id);
    // By an id that the panel has not given an agent learns its version.
    const isQuestion = "error" in jsonFields(params);
    if (!isQuestion) {
      this.#contract.reject("rpc: agent.startupConfig.result answers no request", atMs);
    }
    return rpcError({ code: -32004, message: "request not found" }, id);
  }

  #serveV2(socket: WebSocket): void {
    new NodeSocket(socket, "v2", this, async (message, connection) => {
      if (this.#faultOn(messageName(message))?.isMute === true) return;
      const arrival = { by: "v2 websocket", atMs: Date.now(), signal: this.signal } as const;
      // By POST the whole call is late.
      await this.#delay();
      const reply = await this.#answerMessage(message, arrival);
      if (reply.isSentOverSocket) connection.send(`${reply.body}\n`);
    }).attach();
  }

  #serveV1(socket: WebSocket): void {
    new NodeSocket(socket, "v1", this, async (message, connection) => {
      const call = v1CallName(message);
      await this.#delay();
      if (this.#faultOn(call)?.isMute === true) return;
      const error = handleV1Message(message, this.#v1Context(call));
      if (error !== undefined) connection.send(`${JSON.stringify({ error, status: "error" })}\n`);
      if (connection.isAttached) return;
      // The panel closes a connection whose first message is no JSON.
      if (error === "Invalid JSON") connection.end();
      else connection.attach();
    });
  }

  #sendPendingOrders(): void {
    const fault = this.#pendingOrders;
    if (fault?.sendOrders === undefined || !this.node.isReachable) return;
    this.#pendingOrders = undefined;
    // The node may have gone in the meantime.
    fault.sendOrders(this.node, this).catch(() => {});
  }
}

/**
 * Starts a panel.
 *
 * @throws {Error} When no port is free (`Cannot listen on …`).
 */
export async function startTestPanel(options: TestPanelOptions = {}): Promise<TestPanel> {
  const panel = new TestPanel(options);
  await panel.open(options.port ?? 0);
  if (options.fault !== undefined) await panel.setFault(options.fault);
  return panel;
}
