import type { ClientV1 } from "./client_v1.ts";
import type { ClientV2 } from "./client_v2.ts";
import type { Transport } from "./link_machine.ts";
import type { PanelEvent } from "./messages.ts";
import { PanelError } from "./panel_error.ts";
import type { PanelSocket } from "./panel_socket.ts";
import type { WireBasicInfo, WireProbeResult, WireReport } from "./protocol.ts";

/** The panel may take 5 s for it, since it looks up the country. */
const BASIC_INFO_MS = 20_000;
const RESULT_MS = 10_000;

/** What carries messages. */
export interface MessageSenderParts {
  readonly clientV1: Pick<ClientV1, "sendReport" | "sendBasicInfo" | "sendProbeResult">;
  readonly clientV2: Pick<ClientV2, "report" | "call">;
  /** The WebSocket that stands at present. */
  socket(): PanelSocket | undefined;
}

/** Brings each message to the panel by a given transport. */
export class MessageSender {
  readonly #parts: MessageSenderParts;

  constructor(parts: MessageSenderParts) {
    this.#parts = parts;
  }

  /** Sends a report; the events that came with the answer. @throws {PanelError} */
  async report(
    report: WireReport,
    options: { transport: Transport; timeoutMs: number; signal: AbortSignal },
  ): Promise<PanelEvent[]> {
    const { clientV1, clientV2 } = this.#parts;
    if (options.transport === "v2 POST") return await clientV2.report(report, options);
    if (options.transport === "v1 POST") await clientV1.sendReport(report, options);
    else await this.#socket().sendReport(report, options.signal);
    return [];
  }

  /** @throws {PanelError} When the panel did not take it. */
  async basicInfo(
    info: WireBasicInfo,
    options: { transport: Transport; signal: AbortSignal },
  ): Promise<void> {
    const { clientV1, clientV2 } = this.#parts;
    const { signal } = options;
    // Only the older call lets the panel take the address that it sees.
    const knowsAddress = info.ipv4 !== undefined || info.ipv6 !== undefined;
    const method = "agent.basicInfo";
    if (knowsAddress && options.transport === "v2 POST") {
      return await clientV2.call({ method, params: { info }, timeoutMs: BASIC_INFO_MS, signal });
    }
    if (knowsAddress && options.transport === "v2 WebSocket") {
      return await this.#socket().call(method, { info }, { timeoutMs: BASIC_INFO_MS, signal });
    }
    await clientV1.sendBasicInfo(info, signal);
  }

  /** @throws {PanelError} When the panel did not take it. */
  async probeResult(
    result: WireProbeResult,
    options: { transport: Transport; signal: AbortSignal },
  ): Promise<void> {
    const { clientV1, clientV2 } = this.#parts;
    const { transport, signal } = options;
    if (transport === "v1 POST") return await clientV1.sendProbeResult(result, signal);
    if (transport === "v2 POST") {
      const params = { ...result };
      return await clientV2.call({
        method: "agent.pingResult",
        params,
        timeoutMs: RESULT_MS,
        signal,
      });
    }
    await this.#socket().sendProbeResult(result, signal);
  }

  #socket(): PanelSocket {
    const socket = this.#parts.socket();
    if (socket === undefined) {
      throw new PanelError("Cannot send by WebSocket: there is none", { failure: "unreachable" });
    }
    return socket;
  }
}
