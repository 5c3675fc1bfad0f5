/**
 * Serves metrics to Prometheus (`--metrics`); loaded only if it is asked for.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import type { ListenAddress } from "../config/parsers.ts";
import type { ProblemObserver } from "../state/health_file.ts";
import { describeError, getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { ProbeMetrics } from "../exporter/exported_metrics.ts";
import type { Rates } from "../metrics/rates.ts";
import { CONTENT_TYPE, formatMetrics, type MetricFamily } from "../exporter/openmetrics.ts";
import { BufferedReader } from "../net/buffered_reader.ts";
import { closeQuietly } from "../net/byte_stream.ts";
import { ResponseError } from "../net/errors.ts";
import { addressBytes, ipFamily, ipv4Within, isLoopbackHost } from "../parse/ip_address.ts";
import { withTimeout } from "../async/timeout.ts";
import type { PanelObserver } from "../panel/observer.ts";
import { type MeasuredAgent, reportedFamilies } from "./agent_metrics.ts";
import { writeAll } from "../io/write_all.ts";

/** Connections at a time, one of each client; a new one takes the place of an older one. */
const MAX_CONNECTIONS = 8;
/** Longest request head, in bytes. */
const MAX_HEAD_BYTES = 8 * 1024;
/** Time until a request has arrived whole. */
const REQUEST_TIMEOUT_MS = 2_000;
/** Time until a client has taken the response. */
const RESPONSE_TIMEOUT_MS = 3_000;
/** Connections in a second; behind more a pause follows each answer. They cost 0.04 to 0.09 of a core. */
const CONNECTIONS_PER_SECOND = 20;
const PAUSE_MS = 25;
/**
 * A pause behind each other connection of more, behind one that failed, since the system may have no
 * room for another for long, and twice before a connection is closed for another.
 */
const SHORT_PAUSE_MS = 5;
/** Connections that wait to be accepted, so that a short burst delays the next scrape by 0.8 s at most. */
const BACKLOG = 32;
/**
 * Scrapes after which memory is released: 220 of them add 5 MB to an agent then, else 13 MB. It takes
 * 10 ms, a thirtieth of their time.
 */
const SCRAPES_PER_RELEASE = 50;

/** The agent that is scraped, and how it runs. */
export interface ScrapedAgent extends MeasuredAgent {
  /** Collects garbage, and gives the memory back. */
  readonly releaseMemory: () => void;
  readonly signal: AbortSignal;
}

/**
 * Collects what is reported, and serves it as text on its own listening socket.
 *
 * After 100 scrapes `Deno.serve` has as much anonymous memory (12.9 MB) and takes 0.6 instead of 0.8 ms
 * of CPU for each, but it bounds neither the connections nor their time: of 500 silent ones all were
 * open after 80 s, and no descriptor would be left for the panel.
 */
export class MetricsEndpoint implements Disposable {
  readonly #address: ListenAddress;
  #scrapes = 0;
  #listener: Deno.TcpListener | undefined;
  readonly #probes = new ProbeMetrics();
  readonly #rates = new Map<string, Rates>();
  /** The clients that are served now, whoever has come last at the end. */
  readonly #clients = new Map<string, Deno.TcpConn>();

  /**
   * Opens the listening socket, before the process is sealed. An address that can't be used stops no
   * reports: it is logged and recorded in `health`.
   */
  constructor(address: ListenAddress, { health }: { health: ProblemObserver | undefined }) {
    this.#address = address;
    const { hostname, port } = address;
    try {
      this.#listener = Deno.listen({ hostname, port, tcpBacklog: BACKLOG });
    } catch (error) {
      const reason = describeError(error);
      health?.setProblem("metrics", `${hostname} port ${port}: ${reason}`);
      getLogger("agent").warning(
        "Cannot serve metrics on {hostname} port {port}: {reason}; restart the agent when it is free, " +
          "and reports go on",
        { hostname, port, reason },
      );
    }
  }

  /** URL of the metrics; `undefined` where the address can't be used. */
  get url(): string | undefined {
    if (this.#listener === undefined) return undefined;
    const { hostname, port } = this.#listener.addr;
    return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}/metrics`;
  }

  /** Counts the probes of a panel, and makes their targets and the rates of its reports known. */
  observe(panel: string, rates: Rates): PanelObserver {
    this.#rates.set(panel, rates);
    return {
      onProbeTasks: (tasks) => this.#probes.schedule(panel, tasks),
      onProbeOrder: (probe) => this.#probes.define(panel, probe),
      onProbeResult: (result) => this.#probes.observe(panel, result),
    };
  }

  /** Answers requests until `signal` aborts. */
  async run(agent: ScrapedAgent): Promise<void> {
    const { signal } = agent;
    signal.addEventListener("abort", () => this[Symbol.dispose](), { once: true });
    const listener = this.#listener;
    if (listener === undefined || signal.aborted) return;
    getLogger("agent").info("Metrics for Prometheus: {url}", { url: this.url });
    const accepted = new LogRateLimit({ lines: CONNECTIONS_PER_SECOND, periodMs: 1_000 });
    let paused = 0;
    while (!signal.aborted) {
      let failed = true;
      try {
        const connection = await listener.accept();
        const client = clientOf(connection.remoteAddr.hostname);
        await this.#makeRoom(client, signal);
        this.#serve(connection, { ...agent, client });
        failed = false;
      } catch (error) {
        if (error instanceof Deno.errors.BadResource) return;
      }
      const isOver = !accepted.allows();
      if (isOver || failed) await delay(SHORT_PAUSE_MS, { signal }).catch(() => {});
      const answered = this.#scrapes - paused;
      paused = this.#scrapes;
      if (isOver && answered > 0) {
        await delay(answered * (PAUSE_MS - SHORT_PAUSE_MS), { signal }).catch(() => {});
      }
    }
  }

  /** Closes the older connection of this client, or the oldest of too many, if it is not answered soon. */
  async #makeRoom(client: string, signal: AbortSignal): Promise<void> {
    const isFull = this.#clients.size >= MAX_CONNECTIONS;
    const [oldest] = isFull ? this.#clients.keys() : [];
    const left = this.#clients.has(client) ? client : oldest;
    const connection = left === undefined ? undefined : this.#clients.get(left);
    if (left === undefined || connection === undefined) return;
    // When the loop was held up, the first pause is over before what has arrived is read.
    for (let pauses = 0; pauses < 2 && this.#clients.get(left) === connection; pauses++) {
      await delay(SHORT_PAUSE_MS, { signal });
    }
    if (this.#clients.get(left) !== connection) return;
    this.#clients.delete(left);
    closeQuietly(connection);
  }

  #read(agent: ScrapedAgent): MetricFamily[] {
    return [...this.#probes.families(), ...reportedFamilies(agent, this.#rates)];
  }

  /** Closes the socket; the signal of {@linkcode run} closes the connections. */
  [Symbol.dispose](): void {
    if (this.#listener !== undefined) closeQuietly(this.#listener);
  }

  async #serve(
    connection: Deno.TcpConn,
    { client, ...agent }: ScrapedAgent & { client: string },
  ): Promise<void> {
    this.#clients.set(client, connection);
    const { signal } = agent;
    const within = <T>(timeoutMs: number, run: () => Promise<T>) =>
      withTimeout((signal) => {
        signal.addEventListener("abort", () => closeQuietly(connection), { once: true });
        return run();
      }, { timeoutMs, signal });
    try {
      const lines = await within(REQUEST_TIMEOUT_MS, () => readHead(connection));
      const bytes = new TextEncoder().encode(this.#respond(lines, agent));
      // Counted before it is sent: who goes without it has cost as much.
      this.#scrapes++;
      await within(RESPONSE_TIMEOUT_MS, () => writeAll(connection, bytes));
      if (this.#scrapes % SCRAPES_PER_RELEASE === 0) agent.releaseMemory();
    } catch {
      // A client that goes, hangs or sends nonsense costs its connection only.
    } finally {
      if (this.#clients.get(client) === connection) this.#clients.delete(client);
      closeQuietly(connection);
    }
  }

  #respond(lines: readonly string[] | undefined, agent: ScrapedAgent): string {
    if (lines === undefined) return response(431, "Request head too long\n");
    const [requestLine = "", ...fields] = lines;
    const [, method, path] = /^(\S+) (\/[^ ?]*)(?:\?\S*)? HTTP\/1\.[01]$/.exec(requestLine) ?? [];
    if (method === undefined) return response(400, "Bad request\n");
    if (!acceptsHost(fields, this.#address.hostname.toLowerCase())) {
      return response(421, "Use an IP address, localhost, or the name given by --metrics\n");
    }
    if (path !== "/metrics") return response(404, "See /metrics\n");
    if (method !== "GET") return response(405, "Method not allowed\n");
    return response(200, formatMetrics(this.#read(agent)), CONTENT_TYPE);
  }
}

/**
 * Whether each `Host` field is an IP address, `localhost` or `name`. Any other name can be made to
 * resolve to this machine (DNS rebinding), after which the pages of its owner could read the answer in
 * a browser. Without the field the request is not a browser's.
 */
export function acceptsHost(fields: readonly string[], name: string): boolean {
  return fields.filter((field) => /^host\s*:/i.test(field)).every((field) => {
    const [, inBrackets, plain = ""] =
      /^host\s*:\s*(?:\[([^\]]*)\]|([^:[\]]*))(?::\d*)?\s*$/i.exec(field) ?? [];
    if (inBrackets !== undefined) return ipFamily(inBrackets) === 6;
    const host = plain.trim().toLowerCase();
    return host === "localhost" || host === name || ipFamily(host) === 4;
  });
}

/** The client at an address: all of loopback is one, and a network of 64 bits of IPv6. */
function clientOf(address: string): string {
  // A socket of IPv6 has those of IPv4 in such a network.
  const [client = address] = ipv4Within(address);
  if (isLoopbackHost(client)) return "loopback";
  const bytes = addressBytes(client) ?? [];
  return bytes.length === 16 ? bytes.slice(0, 8).join() : client;
}

/** Reads the lines of a request's head; `undefined` if it is too long. */
async function readHead(connection: Deno.Conn): Promise<string[] | undefined> {
  try {
    return await new BufferedReader(connection).readLines(MAX_HEAD_BYTES);
  } catch (error) {
    if (error instanceof ResponseError && error.kind === "too long") return undefined;
    throw error;
  }
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  421: "Misdirected Request",
  431: "Request Header Fields Too Large",
};

function response(status: number, body: string, type = "text/plain; charset=utf-8"): string {
  return [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    `Content-Type: ${type}`,
    `Content-Length: ${new TextEncoder().encode(body).length}`,
    "Connection: close",
    "",
    body,
  ].join("\r\n");
}
