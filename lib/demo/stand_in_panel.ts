/**
 * A panel for demonstration and development: real HTTP on loopback, one node, the newest generation
 * of Komari.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { WebSocket } from "ws";
import type { Fault } from "./fault.ts";
import { FaultPlayer } from "./fault_player.ts";
import { type Answer, jsonAnswer, textAnswer, writeAnswer, writeRawAnswer } from "./http_answer.ts";
import {
  callName,
  isForeignOrigin,
  messageName,
  readHead,
  readRequest,
  type ReceivedRequest,
  type RequestHead,
  RPC_PATH,
} from "./http_request.ts";
import { Listener, type RequestHandler, type UpgradeRequest } from "./listener.ts";
import { PanelNode } from "./node.ts";
import { NodeSocket } from "./node_socket.ts";
import { pageAnswer } from "./page.ts";
import { answerPage } from "./page_routes.ts";
import { PanelState } from "./panel_state.ts";
import { loopbackTasks, schedulePings } from "./probe_tasks.ts";
import { answerRpc, type Arrival, type RpcReply } from "./rpc.ts";
import type { SocketService } from "./websocket_acceptor.ts";

/** The default port. */
export const DEFAULT_PORT = 25774;

const VERSION_PATH = "/api/version";

/** Options of a panel. */
export interface StandInPanelOptions {
  /** A random one when absent. */
  readonly token?: string;
  /** Language of the page; English by default. */
  readonly language?: "en" | "zh";
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
  readonly faults: FaultPlayer;
  /** The answer to a GET of any other path. */
  protected readonly page: Answer;
  readonly #closing = new AbortController();
  protected listener: Listener | undefined;

  constructor(
    options: StandInPanelOptions = {},
    node: PanelNode = new PanelNode(new PanelState()),
  ) {
    this.token = options.token ?? crypto.getRandomValues(new Uint8Array(16)).toHex();
    this.page = pageAnswer(options.language ?? "en");
    this.signal = this.#closing.signal;
    this.node = node;
    this.faults = new FaultPlayer(node.state);
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

  /** Starts a fault, also on the WebSockets that are open, or ends it; resolves when it is in force. */
  async setFault(fault: Fault | undefined): Promise<void> {
    if (fault?.isDown === true) this.listener?.pause();
    else if (!this.signal.aborted) await this.listener?.resume();
    this.state.fault = fault;
    if (fault !== undefined) await this.faults.playOnOpenSockets(fault);
  }

  async onRequest(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const head = readHead(incoming);
    if (!head.path.startsWith("/demo/")) return await this.answerCall(incoming, response, head);
    this.listener?.exempt(response.socket);
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
    const fault = head.path.startsWith("/api/")
      ? this.faults.faultOn(callName(request))
      : undefined;
    if (fault?.answerCall !== undefined) return await fault.answerCall(response);
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const answer = await this.answer(request, AbortSignal.any([this.signal, gone.signal]));
    if (!response.destroyed) writeAnswer(response, answer);
  }

  /** The answer to a call; the signal aborts when nobody waits for it any more. */
  protected async answer(request: ReceivedRequest, signal: AbortSignal): Promise<Answer> {
    const { method, path, atMs } = request;
    if (method === "GET" && path === VERSION_PATH) {
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
    const fault = this.faults.faultOn(call);
    if (fault?.answerUpgrade !== undefined) {
      await fault.answerUpgrade(socket);
      return undefined;
    }
    const service = this.socketService(head);
    if ("status" in service) {
      writeRawAnswer(socket, service);
      return service.status;
    }
    upgrade.accept({
      ...service,
      onOpen: (webSocket) => {
        webSocket.on("error", () => {});
        service.onOpen(webSocket);
        this.faults.track({ webSocket, socket, call });
      },
    });
    return 101;
  }

  /** The name of the call that an upgrade request is, as faults name it. */
  protected upgradeCall(_head: RequestHead): string {
    return "upgrade";
  }

  /** How the WebSocket of a request is served, or the answer that refuses it. */
  protected socketService(head: RequestHead): SocketService | Answer {
    if (head.path !== RPC_PATH) return this.page;
    return this.refuseStranger(head) ??
      { compress: true, onOpen: (socket) => this.#serveNode(socket) };
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
      if (this.faults.isMute(messageName(message))) return;
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
  options: StandInPanelOptions & { port?: number; fault?: Fault | undefined } = {},
): Promise<StandInPanel> {
  const panel = new StandInPanel(options);
  await panel.open(options.port ?? DEFAULT_PORT);
  panel.state.tasks = loopbackTasks(panel.port);
  if (options.fault !== undefined) await panel.setFault(options.fault);
  return panel;
}
