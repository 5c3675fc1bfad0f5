import { deadline } from "@std/async/deadline";
import { assertEquals } from "@std/assert";
import { WebSocket } from "ws";
import type { TestPanel } from "./test_panel.ts";
import { PATIENCE_MS } from "../patience.ts";

type Panel = Pick<TestPanel, "url" | "token">;

/** A message of v2; without an id when none is given. */
export function envelope(method: string, params: unknown, id?: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", method, params, id });
}

/** Posts a message of v2 and returns the answer's status and value. */
export async function postRpc(
  panel: Panel,
  message: BodyInit,
  headers: Record<string, string> = {},
  // deno-lint-ignore no-explicit-any -- a test reads whatever the answer holds
): Promise<[status: number, answer: any]> {
  const url = `${panel.url}/api/clients/v2/rpc?token=${panel.token}`;
  const response = await fetch(url, { method: "POST", body: message, headers });
  return [response.status, await response.json()];
}

/** A WebSocket as an agent opens it. */
export class FakeSocket {
  readonly socket: WebSocket;
  readonly received: (string | Uint8Array)[] = [];
  /** The close code, and the status and body of a refusal. */
  ending: number | undefined;
  refusal: string | undefined;
  pongs = 0;
  readonly #waiting = new Set<() => void>();

  constructor(url: string, headers: Record<string, string> = {}) {
    // The library would offer window bits, which the contract forbids.
    this.socket = new WebSocket(url, { headers, perMessageDeflate: false });
    const notify = () => {
      for (const wake of this.#waiting) wake();
    };
    this.socket.on("open", notify);
    this.socket.on("message", (data, isBinary) => {
      this.received.push(isBinary ? new Uint8Array(data) : new TextDecoder().decode(data));
      notify();
    });
    this.socket.on("pong", () => {
      this.pongs++;
      notify();
    });
    this.socket.on("error", notify);
    this.socket.on("unexpected-response", (_request, response) => {
      const chunks: Uint8Array<ArrayBuffer>[] = [];
      response.on("data", (chunk) => chunks.push(new Uint8Array(chunk)));
      response.on("end", async () => {
        this.refusal = `${response.statusCode} ${await new Blob(chunks).text()}`;
        notify();
      });
    });
    this.socket.on("close", (code) => {
      this.ending = code;
      notify();
    });
  }

  /** Resolves when the condition holds; rejects when it never does. */
  async until(condition: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const check = () => condition() && resolve();
    this.#waiting.add(check);
    check();
    await deadline(promise, PATIENCE_MS).finally(() => this.#waiting.delete(check));
  }

  /** Resolves when it is open. */
  async opened(): Promise<this> {
    await this.until(() => this.socket.readyState === 1);
    return this;
  }

  /** The n-th message, parsed as JSON. */
  // deno-lint-ignore no-explicit-any -- a test reads whatever the message holds
  async message(index: number): Promise<any> {
    await this.until(() => this.received.length > index);
    const message = this.received[index];
    return typeof message === "string" ? JSON.parse(message) : message;
  }

  /** Resolves with the close code. */
  async ended(): Promise<number | undefined> {
    await this.until(() => this.ending !== undefined);
    return this.ending;
  }
}

/** Opens a WebSocket of the panel. */
export function dial(panel: Panel, kind: "v1" | "v2" | "terminal", query = ""): FakeSocket {
  const path = { v1: "report", v2: "v2/rpc", terminal: "terminal" }[kind];
  const base = panel.url.replace("http", "ws");
  return new FakeSocket(`${base}/api/clients/${path}?token=${panel.token}${query}`);
}

/** Posts a message of v2 that the panel has to accept, and returns the result. */
export async function deliverRpc(
  panel: Panel,
  method: string,
  params: unknown,
  // deno-lint-ignore no-explicit-any -- a test reads whatever the result holds
): Promise<any> {
  const [status, answer] = await postRpc(panel, envelope(method, params, 1));
  assertEquals([status, answer.error], [200, undefined]);
  return answer.result;
}
