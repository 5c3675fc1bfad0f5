/**
 * A panel for demonstration and development: real HTTP on loopback, one node, the newest generation
 * of Komari.
 *
 * @module
 */

import { type Fault, unauthorized } from "./fault.ts";
import { PanelNode } from "./node.ts";
import { answerPage, pageAnswer } from "./page.ts";
import { PanelState, type WireTask } from "./panel_state.ts";
import { answerRpc, readBody } from "./rpc.ts";

const HOST = "127.0.0.1";
/** The number of ports that are tried, from the wanted one on. */
const PORTS_TRIED = 100;
/** The path of messages, for POST and for WebSockets. */
const RPC_PATH = "/api/clients/v2/rpc";
const JSON_HEADERS = { "content-type": "application/json; charset=utf-8" };

/** A panel; `open()` starts it. */
export class StandInPanel {
  readonly token: string = crypto.getRandomValues(new Uint8Array(16)).toHex();
  readonly node: PanelNode = new PanelNode(new PanelState());
  /** Aborts when the panel closes. */
  readonly signal: AbortSignal;
  /** Time that a pull waits for events. */
  readonly pullWaitMs = 25_000;
  readonly #closing = new AbortController();
  readonly #language: "en" | "zh";
  #port = 0;

  /** @param language That of the page. */
  constructor(language: "en" | "zh" = "en") {
    this.#language = language;
    this.signal = this.#closing.signal;
  }

  /** Everything received so far. */
  get state(): PanelState {
    return this.node.state;
  }

  /** The endpoint for agents; no trailing slash. */
  get url(): string {
    return `http://${HOST}:${this.#port}`;
  }

  /**
   * Listens on the port, or on the next free one, and asks for one probe of each kind; 0 stands for any.
   *
   * @throws {Error} When no port is free (`Cannot listen on …`).
   */
  open(port: number): void {
    const last = port === 0 ? 0 : Math.min(port + PORTS_TRIED - 1, 65_535);
    for (let tried = port; this.#port === 0; tried++) {
      try {
        this.#port = this.#listen(tried);
      } catch (cause) {
        if (cause instanceof Deno.errors.AddrInUse && tried < last) continue;
        throw new Error(`Cannot listen on ${HOST}, ports ${port} to ${last}`, { cause });
      }
    }
    this.state.tasks = loopbackTasks(this.#port);
    schedulePings(this.node, this);
  }

  #listen(port: number): number {
    const { signal } = this;
    const server = Deno.serve({
      ...{ hostname: HOST, port, signal, onListen() {} },
      // Such as an upgrade without its key.
      onError: () => new Response(null, { status: 400 }),
      handler: (request) => this.#answer(request),
    });
    return server.addr.port;
  }

  /** Closes the panel and every connection. */
  close(): void {
    this.#closing.abort(new Error("The panel was closed"));
  }

  /** Starts a fault, which ends the WebSocket, or ends it. */
  setFault(fault: Fault | undefined): void {
    this.state.fault = fault;
    if (fault !== undefined) this.node.connection?.end();
  }

  /** Answers a call of an agent or a request of the page. */
  async #answer(request: Request): Promise<Response> {
    const { method, headers } = request;
    const { pathname, searchParams } = new URL(request.url);
    const isUpgrade = headers.get("upgrade")?.toLowerCase() === "websocket";
    if (pathname.startsWith("/demo/")) return await answerPage(request, this);
    const { fault } = this.state;
    if (fault !== undefined && pathname.startsWith("/api/")) {
      if (isUpgrade || !fault.isForWebSockets) return await fault.answer();
    }
    if (method === "GET" && pathname === "/api/version") {
      const data = { version: "1.5.1-main", hash: "unknown" };
      return Response.json({ status: "success", message: "", data });
    }
    if (pathname !== RPC_PATH) {
      return method === "GET"
        ? pageAnswer(this.#language)
        : new Response("404 page not found", { status: 404 });
    }
    const origin = headers.get("origin") ?? "";
    const isForeign = origin !== "" && origin !== `http://${headers.get("host")}`;
    if (isForeign) return new Response(null, { status: 403 });
    if (searchParams.get("token") !== this.token) return unauthorized();
    if (isUpgrade) return this.#openWebSocket(request);
    if (method === "POST") return await this.#answerPost(request);
    return Response.json({ error: "Require WebSocket upgrade", status: "error" }, { status: 400 });
  }

  async #answerPost(request: Request): Promise<Response> {
    const message = await readBody(request);
    if (message === undefined) return new Response("Too large", { status: 413 });
    const arrival = { by: "v2 post", atMs: Date.now(), signal: this.signal } as const;
    const { status, body } = await answerRpc(message, arrival, this);
    return new Response(body, { status, headers: JSON_HEADERS });
  }

  #openWebSocket(request: Request): Response {
    const { node, signal } = this;
    const { socket, response } = Deno.upgradeWebSocket(request);
    const connection = {
      send(message: string) {
        if (socket.readyState === WebSocket.OPEN) socket.send(message);
      },
      end: () => socket.close(),
    };
    socket.binaryType = "arraybuffer";
    socket.onopen = () => node.attach(connection);
    socket.onmessage = async ({ data }) => {
      const message = typeof data === "string" ? data : new TextDecoder().decode(data);
      const arrival = { by: "v2 websocket", atMs: Date.now(), signal } as const;
      const { isSentOverSocket, body } = await answerRpc(message, arrival, this);
      if (isSentOverSocket) connection.send(`${body}\n`);
    };
    // The close event follows.
    socket.onerror = () => {};
    socket.onclose = () => node.detach(connection);
    return response;
  }
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
