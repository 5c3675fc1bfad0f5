/**
 * Every call of an agent or of the page, and the fault that may strike it.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { jsonAnswer, textAnswer } from "./answer.ts";
import { answerCall } from "./api.ts";
import { type Fault, isOrders, strikes } from "./fault.ts";
import {
  faultAnswer,
  playFault,
  playOnSocket,
  type RawSocket,
  writeAnswer,
} from "./fault_player.ts";
import { callName, type Exchange, readExchange } from "./http_call.ts";
import type { Listener } from "./listener.ts";
import { playOrders } from "./order_faults.ts";
import { rpcError } from "./rpc.ts";
import { answerUpgrade, type UpgradeContext } from "./upgrade.ts";

type Standing = RawSocket & { readonly call: "upgrade" | "terminal" };

/** Answers calls, and knows the connections that have become WebSockets. */
export class Calls {
  readonly #context: UpgradeContext;
  readonly #standing = new Set<Standing>();
  /** A fault whose orders found no way to the node yet. */
  #pending: Fault | undefined;

  readonly #show: (exchange: Exchange, response: ServerResponse) => Promise<void>;

  constructor(
    context: Omit<UpgradeContext, "onOpen">,
    options: { show: (exchange: Exchange, response: ServerResponse) => Promise<void> },
  ) {
    this.#show = options.show;
    this.#context = { ...context, onOpen: (standing) => this.#opened(standing) };
    const { state, signal } = context.node;
    state.listen((news) => {
      if ("sockets" in news && news.sockets.present !== undefined) this.#pending = state.fault;
      this.#playPending();
    }, { signal });
  }

  /** Answers a request. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = await readExchange(request);
    if (exchange === "too large") return writeAnswer(response, textAnswer(413, "Too large"));
    const { state, intake, signal } = this.#context.node;
    if (exchange === "broken gzip") {
      intake.refuse("rpc: the body is no gzip", Date.now());
      const error = { code: -32700, message: "invalid compressed body" } as const;
      const { status, body } = rpcError(error, undefined);
      return writeAnswer(response, { ...jsonAnswer(status, null), body });
    }
    if (exchange.path.startsWith("/demo/")) return await this.#show(exchange, response);
    const isCall = exchange.path.startsWith("/api/");
    const fault = isCall ? state.fault : undefined;
    const struck = fault !== undefined && strikes(fault, callName(exchange)) ? fault : undefined;
    const { atMs, method, path, headers } = exchange;
    const note = (status?: number) =>
      state.addCall({ atMs, method, path, headers, ...(status === undefined ? {} : { status }) });

    if (struck !== undefined) {
      const played = playFault(struck, { response, signal });
      const isUsual = /^(slow|no-extra-columns|rpc-\d+)$/.test(struck.name);
      if (!isUsual) note(response.headersSent ? response.statusCode : undefined);
      if (await played) return;
    }
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const answer = await answerCall(exchange, {
      ...this.#context.node,
      oldPanel: struck?.name === "no-extra-columns",
      fault: struck,
      signal: AbortSignal.any([signal, gone.signal]),
    }) ?? this.#context.page;
    if (response.destroyed) return note();
    writeAnswer(response, answer);
    note(answer.status);
  }

  /** Answers a request for a WebSocket. */
  upgrade(asking: { request: IncomingMessage; socket: Socket; head: Uint8Array }): Promise<void> {
    return answerUpgrade(asking, this.#context);
  }

  /** Misbehaves from now on, on the WebSockets that stand too, or no longer. */
  async setFault(fault: Fault | undefined, listener: Listener): Promise<void> {
    const { state, signal } = this.#context.node;
    if (fault?.name === "refuse") listener.pause();
    else if (!signal.aborted) await listener.resume();
    this.#pending = fault;
    state.fault = fault;
    if (fault === undefined) return;
    for (const standing of [...this.#standing]) {
      if (strikes(fault, standing.call)) await strike(fault, standing);
    }
  }

  #opened(standing: Standing): void {
    this.#standing.add(standing);
    standing.webSocket.on("close", () => this.#standing.delete(standing));
  }

  #playPending(): void {
    const { orders, node: { signal } } = this.#context;
    const fault = this.#pending;
    if (fault === undefined || !isOrders(fault) || !orders.isReachable) return;
    this.#pending = undefined;
    // An order that finds no way any more is none.
    playOrders(fault, { orders, signal }).catch(() => {});
  }
}

/** A fault that would not let a WebSocket come about ends one that stands. */
async function strike(fault: Fault, standing: Standing): Promise<void> {
  if (fault.name === "reset") standing.socket.resetAndDestroy();
  else if (
    faultAnswer(fault) !== undefined || /^(upgrade-hang|close|endless|huge)$/.test(fault.name)
  ) {
    standing.socket.destroy();
  } else await playOnSocket(fault, standing);
}
