/**
 * Handles every request to the stand-in panel: calls and upgrades of an agent, and the fault that
 * affects them.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { answerApiRequest, refuseUnauthorized } from "./api_routes.ts";
import { affects, type CustomFault, type Fault, type RawSocket } from "./fault.ts";
import { playOnCall, playOnOpenSocket } from "./fault_player.ts";
import { TRANSFER_PATH } from "./file_transfers.ts";
import { jsonAnswer, textAnswer, writeAnswer } from "./http_answer.ts";
import {
  callName,
  readHead,
  readRequest,
  type ReceivedRequest,
  type RequestHead,
} from "./http_request.ts";
import type { Listener } from "./listener.ts";
import { rpcError } from "./rpc.ts";
import { answerUpgrade, type UpgradeContext } from "./upgrade.ts";
import type { UpgradeRequest } from "./websocket_acceptor.ts";

type OpenSocket = RawSocket & { readonly call: "upgrade" | "terminal" };

/** Answers calls and keeps track of the WebSockets that are open. */
export class RequestHandler {
  readonly #context: UpgradeContext;
  readonly #openSockets = new Set<OpenSocket>();
  readonly #answerPage: (request: ReceivedRequest, response: ServerResponse) => Promise<void>;
  /** A fault whose orders could not reach the node yet. */
  #pendingOrders: CustomFault | undefined;

  constructor(
    context: Omit<UpgradeContext, "onOpen">,
    options: { answerPage: (request: ReceivedRequest, response: ServerResponse) => Promise<void> },
  ) {
    this.#answerPage = options.answerPage;
    this.#context = { ...context, onOpen: (socket) => this.#track(socket) };
    const { state, signal } = context.node;
    state.subscribe((change) => {
      const hasSocket = "sockets" in change && change.sockets.present !== undefined;
      if (hasSocket && state.fault?.name === "custom") this.#pendingOrders = state.fault;
      this.#sendPendingOrders();
    }, { signal });
  }

  /** Answers a request that is no upgrade. */
  async handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const head = readHead(incoming);
    if (this.#context.node.generation.hasSessions && head.path.startsWith(TRANSFER_PATH)) {
      return await this.#handleTransfer(incoming, { response, head });
    }
    const request = await readRequest(incoming);
    const { state, sink, signal } = this.#context.node;
    if (request === "too large") return writeAnswer(response, textAnswer(413, "Too large"));
    if (request === "invalid gzip") {
      sink.reject("rpc: the body is no gzip", Date.now());
      const error = { code: -32700, message: "invalid compressed body" } as const;
      const { status, body } = rpcError(error, undefined);
      return writeAnswer(response, { ...jsonAnswer(status, null), body });
    }
    if (request.path.startsWith("/demo/")) return await this.#answerPage(request, response);
    const { atMs, method, path, headers } = request;
    const onStatus = (status: number | undefined) =>
      state.addCall({ atMs, method, path, headers, status });
    const fault = path.startsWith("/api/") && state.fault !== undefined &&
        affects(state.fault, callName(request))
      ? state.fault
      : undefined;
    if (fault !== undefined && await playOnCall(fault, { response, onStatus, signal })) return;
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const answer = await answerApiRequest(request, {
      ...this.#context.node,
      lacksNewerColumns: fault?.name === "no-extra-columns",
      fault,
      signal: AbortSignal.any([signal, gone.signal]),
    }) ?? this.#context.page;
    if (response.destroyed) return onStatus(undefined);
    writeAnswer(response, answer);
    onStatus(answer.status);
  }

  /** Answers an upgrade request of an agent. */
  handleUpgrade(request: UpgradeRequest): Promise<void> {
    return answerUpgrade(request, this.#context);
  }

  /** Starts a fault, also on the WebSockets that are open, or ends it. */
  async setFault(fault: Fault | undefined, listener: Listener): Promise<void> {
    const { state, signal } = this.#context.node;
    if (fault?.name === "refuse") listener.pause();
    else if (!signal.aborted) await listener.resume();
    this.#pendingOrders = fault?.name === "custom" ? fault : undefined;
    state.fault = fault;
    if (fault === undefined) return;
    for (const socket of [...this.#openSockets]) {
      if (affects(fault, socket.call)) await playOnOpenSocket(fault, socket);
    }
  }

  /** Answers a transfer, whose body is neither text nor small. */
  async #handleTransfer(
    incoming: IncomingMessage,
    { response, head }: { response: ServerResponse; head: RequestHead },
  ): Promise<void> {
    const { state, signal } = this.#context.node;
    const { atMs, method, path, headers } = head;
    const onStatus = (status: number | undefined) =>
      state.addCall({ atMs, method, path: path.slice(0, TRANSFER_PATH.length), headers, status });
    const { fault } = state;
    const isAffected = fault !== undefined && affects(fault, "file transfer");
    if (isAffected && await playOnCall(fault, { response, onStatus, signal })) return;
    const refusal = refuseUnauthorized(head, this.#context.node);
    if (refusal !== undefined) {
      incoming.resume();
      writeAnswer(response, refusal);
    }
    onStatus(refusal?.status ?? await this.#context.transfers.answer(incoming, response));
  }

  #track(socket: OpenSocket): void {
    this.#openSockets.add(socket);
    socket.webSocket.on("close", () => this.#openSockets.delete(socket));
  }

  #sendPendingOrders(): void {
    const { orders, signal } = this.#context.node;
    const fault = this.#pendingOrders;
    if (fault?.sendOrders === undefined || !orders.isReachable) return;
    this.#pendingOrders = undefined;
    // The node may have gone in the meantime.
    fault.sendOrders(orders, { signal }).catch(() => {});
  }
}
