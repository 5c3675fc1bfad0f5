import type { HttpPanel } from "./client_v1.ts";
import type { RpcPost } from "./client_v2.ts";
import type { Way } from "./link_machine.ts";
import type { PanelEvent } from "./messages.ts";
import { PanelError } from "./panel_error.ts";
import type { LiveSocket } from "./panel_socket.ts";
import type { WireBasicInfo, WireProbeResult, WireReport } from "./protocol.ts";

/** The panel may take 5 s for it, since it looks up the country. */
const BASIC_INFO_MS = 20_000;
const RESULT_MS = 10_000;

/** What carries messages. */
export interface CarrierParts {
  readonly http: Pick<HttpPanel, "sendReport" | "sendBasicInfo" | "sendProbeResult">;
  readonly rpc: Pick<RpcPost, "report" | "call">;
  /** The WebSocket that stands at present. */
  socket(): LiveSocket | undefined;
}

/** Brings each message to the panel by a given way. */
export class Carrier {
  readonly #parts: CarrierParts;

  constructor(parts: CarrierParts) {
    this.#parts = parts;
  }

  /** Sends a report; the events that came with the answer. @throws {PanelError} */
  async report(
    report: WireReport,
    options: { way: Way; timeoutMs: number; signal: AbortSignal },
  ): Promise<PanelEvent[]> {
    const { http, rpc } = this.#parts;
    if (options.way === "v2 POST") return await rpc.report(report, options);
    if (options.way === "v1 POST") await http.sendReport(report, options);
    else await this.#socket().sendReport(report, options.signal);
    return [];
  }

  /** @throws {PanelError} When the panel did not take it. */
  async basicInfo(
    info: WireBasicInfo,
    options: { way: Way; signal: AbortSignal },
  ): Promise<void> {
    const { http, rpc } = this.#parts;
    const { signal } = options;
    // Only the older call lets the panel take the address that it sees.
    const knowsAddress = info.ipv4 !== undefined || info.ipv6 !== undefined;
    const method = "agent.basicInfo";
    if (knowsAddress && options.way === "v2 POST") {
      return await rpc.call({ method, params: { info }, timeoutMs: BASIC_INFO_MS, signal });
    }
    if (knowsAddress && options.way === "v2 WebSocket") {
      return await this.#socket().call(method, { info }, { timeoutMs: BASIC_INFO_MS, signal });
    }
    await http.sendBasicInfo(info, signal);
  }

  /** @throws {PanelError} When the panel did not take it. */
  async probeResult(
    result: WireProbeResult,
    options: { way: Way; signal: AbortSignal },
  ): Promise<void> {
    const { http, rpc } = this.#parts;
    const { way, signal } = options;
    if (way === "v1 POST") return await http.sendProbeResult(result, signal);
    if (way === "v2 POST") {
      const params = { ...result };
      return await rpc.call({ method: "agent.pingResult", params, timeoutMs: RESULT_MS, signal });
    }
    await this.#socket().sendProbeResult(result, signal);
  }

  #socket(): LiveSocket {
    const socket = this.#parts.socket();
    if (socket === undefined) {
      throw new PanelError("Cannot send by WebSocket: there is none", { failure: "unreachable" });
    }
    return socket;
  }
}
