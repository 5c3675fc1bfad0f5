/**
 * A panel for demonstration and development: real HTTP on loopback, one node, the newest generation
 * of Komari.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { WebSocket } from "ws";
import type { Socket } from "node:net";
import { affects, type Fault } from "./fault.ts";
import {
  type Answer,
  callName,
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
import { NodeSocket, PanelNode } from "./node.ts";
import { answerPage, pageAnswer } from "./page.ts";
import { PanelState, type WireTask } from "./panel_state.ts";
import { answerRpc, type Arrival, type RpcReply } from "./rpc.ts";

/** Options of a panel. */
export interface StandInPanelOptions {
  /** A random one when absent. */
  readonly token?: string;
  /** Language of the page; English by default. */
  readonly language?: "en" | "zh";
}

/** An open WebSocket, the connection below it, and the name of the call that has opened it. */
export interface OpenSocket {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  readonly call: string;
}

/** A panel; `open()` starts it. What a panel of another generation does otherwise is protected. */
export class StandInPanel implements RequestHandler {
  readonly token: string;
  readonly node: PanelNode;
  /** Aborts when the panel closes. */
  readonly signal: AbortSignal;
  /** Time that a pull waits for events. */
  readonly pullWaitMs: number = 25_000;
  protected readonly version: string = "1.5.1-main";
  /** Time without data after which a WebSocket is dropped. */
  readonly dataTimeoutMs: number = 75_000;
  /** Whether control pings count as data. */
  readonly acceptsPings: boolean = true;
  /** The answer to a GET of any other path. */
  protected readonly page: Answer;
  readonly #closing = new AbortController();
  protected readonly openSockets = new Set<OpenSocket>();
  protected listener: Listener | undefined;

  constructor(
    options: StandInPanelOptions = {},
    node: PanelNode = new PanelNode(new PanelState()),
  ) {
    this.token = options.token ?? crypto.getRandomValues(new Uint8Array(16)).toHex();
    this.page = pageAnswer(options.language ?? "en");
    this.signal = this.#closing.signal;
    this.node = node;
  }

  /** Everything received so far; its `tasks` can be replaced. */
  get state(): PanelState {
    return this.node.state;
  }

  /** The port; 0 before `open()`. */
  get port(): number {
    return this.listener?.port ?? 0;
  }

  /** The endpoint for agents; no trailing slash. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /**
   * Listens on the port, or on the next free one; 0 stands for any.
   *
   * @throws {Error} When no port is free (`Cannot listen on …`), or `ws` can't be loaded.
   */
  async open(port: number): Promise<void> {
    this.listener = await Listener.open(port, this);
    schedulePings(this.node, this);
  }

  /** Closes the panel and every connection. */
  close(): void {
    this.#closing.abort(new Error("The panel was closed"));
    this.listener?.close();
  }

  /** Whether nothing is sent or read on WebSockets. */
  get isMute(): boolean {
    return this.faultOn("upgrade")?.isMute === true;
  }

  /** Starts a fault, which closes WebSockets if it prevents them, or ends it. */
  setFault(fault: Fault | undefined): Promise<void> {
    this.state.fault = fault;
    for (const { socket, call } of this.openSockets) {
      const { answerUpgrade, isMute } = this.faultOn(call) ?? {};
      if (answerUpgrade !== undefined && isMute !== true) socket.destroy();
    }
    return Promise.resolve();
  }

  /** The fault that affects a call. */
  protected faultOn(call: string): Fault | undefined {
    const { fault } = this.state;
    return fault !== undefined && affects(fault, call) ? fault : undefined;
  }

  async onRequest(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const head = readHead(incoming);
    if (!head.path.startsWith("/demo/")) return await this.answerCall(incoming, response, head);
    const request = await readRequest(incoming, head);
    if (request === undefined) return writeAnswer(response, textAnswer(413, "Too large"));
    await answerPage(request, response, this);
  }

  async onUpgrade(upgrade: UpgradeRequest): Promise<void> {
    await this.answerUpgrade(upgrade, readHead(upgrade.request));
  }

  /** Answers a call of an agent, or sends the page; a fault may leave it without an answer. */
  protected async answerCall(
    incoming: IncomingMessage,
    response: ServerResponse,
    head: RequestHead,
  ): Promise<void> {
    const request = await readRequest(incoming, head);
    if (request === undefined) return writeAnswer(response, textAnswer(413, "Too large"));
    const fault = head.path.startsWith("/api/") ? this.faultOn(callName(request)) : undefined;
    if (fault?.answerCall !== undefined) return await fault.answerCall(response);
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const answer = await this.answer(request, AbortSignal.any([this.signal, gone.signal]));
    if (!response.destroyed) writeAnswer(response, answer);
  }

  /** The answer to a call; the signal aborts when nobody waits for it any more. */
  protected async answer(request: ReceivedRequest, signal: AbortSignal): Promise<Answer> {
    const { method, path, atMs } = request;
    if (method === "GET" && path === "/api/version") {
      const data = { version: this.version, hash: "unknown" };
      return jsonAnswer(200, { status: "success", message: "", data });
    }
    if (method === "POST" && path === RPC_PATH) {
      return this.refuseStranger(request) ??
        rpcAnswer(await this.answerMessage(request.body, { by: "v2 post", atMs, signal }));
    }
    if (method !== "GET") return textAnswer(404, "404 page not found");
    return path === RPC_PATH ? this.refuseStranger(request) ?? upgradeRequired : this.page;
  }

  /** The answer to a message in JSON-RPC. */
  protected answerMessage(message: string, arrival: Arrival): Promise<RpcReply> {
    return answerRpc(message, arrival, this);
  }

  /** Answers an upgrade request of an agent; returns the status, unless a fault answers it. */
  protected async answerUpgrade(
    upgrade: UpgradeRequest,
    head: RequestHead,
  ): Promise<number | undefined> {
    const { socket } = upgrade;
    const call = this.upgradeCall(head);
    const fault = this.faultOn(call);
    if (fault?.answerUpgrade !== undefined) {
      await fault.answerUpgrade(socket);
      return undefined;
    }
    const handler = this.socketHandler(head);
    if (typeof handler !== "function") {
      writeRawAnswer(socket, handler);
      return handler.status;
    }
    upgrade.accept((webSocket) => {
      webSocket.on("error", () => {});
      handler(webSocket);
      this.onOpen({ webSocket, socket, call });
    });
    return 101;
  }

  /** Handles a WebSocket that is open. */
  protected onOpen(open: OpenSocket): void {
    this.openSockets.add(open);
    open.webSocket.on("close", () => this.openSockets.delete(open));
  }

  /** The name of the call that an upgrade request is, as faults name it. */
  protected upgradeCall(_head: RequestHead): string {
    return "upgrade";
  }

  /** What serves the WebSocket of a request, or the answer that refuses it. */
  protected socketHandler(head: RequestHead): Answer | ((socket: WebSocket) => void) {
    if (head.path !== RPC_PATH) return this.page;
    return this.refuseStranger(head) ?? ((socket) => this.#serveNode(socket));
  }

  /** Refuses requests from a foreign page or with a wrong token. */
  protected refuseStranger(head: RequestHead): Answer | undefined {
    if (isForeignOrigin(head)) return { status: 403, headers: {}, body: "" };
    return head.query.get("token") === this.token
      ? undefined
      : jsonAnswer(401, { status: "error", message: "Unauthorized." });
  }

  #serveNode(socket: WebSocket): void {
    new NodeSocket(socket, "v2", this, async (message, connection) => {
      if (this.faultOn(messageName(message))?.isMute === true) return;
      const arrival = { by: "v2 websocket", atMs: Date.now(), signal: this.signal } as const;
      const reply = await this.answerMessage(message, arrival);
      if (reply.isSentOverSocket) connection.send(`${reply.body}\n`);
    }).attach();
  }
}

const upgradeRequired = jsonAnswer(400, { error: "Require WebSocket upgrade", status: "error" });

function rpcAnswer({ status, body }: RpcReply): Answer {
  return { ...jsonAnswer(status, null), body };
}

/**
 * Starts the panel of the command `demo`, with one probe of each kind.
 *
 * @throws {Error} When no port is free (`Cannot listen on …`), or `ws` can't be loaded.
 */
export async function startDemo(
  options: StandInPanelOptions & { port: number; fault?: Fault | undefined },
): Promise<StandInPanel> {
  const panel = new StandInPanel(options);
  await panel.open(options.port);
  panel.state.tasks = loopbackTasks(panel.port);
  if (options.fault !== undefined) await panel.setFault(options.fault);
  return panel;
}

/** One probe of each kind against the panel's own machine. */
export function loopbackTasks(port: number): WireTask[] {
  const here = `127.0.0.1:${port}`;
  return [
    { id: 1, name: "Ping", type: "icmp", target: "127.0.0.1", interval: 2 },
    { id: 2, name: "Connect", type: "tcp", target: here, interval: 3 },
    { id: 3, name: "Request", type: "http", target: `http://${here}/`, interval: 5 },
  ];
}

/** Orders each task's probe once per interval of whole seconds, until the signal aborts. */
export function schedulePings(node: PanelNode, { signal }: { signal: AbortSignal }): void {
  let seconds = 0;
  const timer = setInterval(() => {
    seconds++;
    for (const { id, type: kind, target, reference, interval } of node.state.tasks) {
      if (interval > 0 && seconds % interval === 0) node.sendPing({ id, kind, target, reference });
    }
  }, 1000);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}
