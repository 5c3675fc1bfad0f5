import type { ClientV1 } from "./client_v1.ts";
import { type ClientV2, isUnknownMethod } from "./client_v2.ts";
import type { Transport } from "./link_machine.ts";
import { PanelError } from "./panel_error.ts";
import type { PanelSocket } from "./panel_socket.ts";
import type {
  WireBasicInfo,
  WireCommandResult,
  WireFileResult,
  WireProbeResult,
} from "./protocol.ts";

/** Up to 1.4 the panel may take 5 s for basic info, since it looks up the country. */
const BASIC_INFO_TIMEOUT_MS = 20_000;
const PROBE_RESULT_TIMEOUT_MS = 10_000;
const COMMAND_RESULT_TIMEOUT_MS = 30_000;
/** The list of a large folder takes a while. */
const FILE_RESULT_TIMEOUT_MS = 30_000;
const STARTUP_CONFIG_TIMEOUT_MS = 10_000;

/** JSON-RPC error of a panel that does not wait for a result any more, or has it already. */
const NOT_AWAITED = -32004;

/** The configuration that a panel has asked for, without secrets. */
export interface StartupConfig {
  readonly requestId: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** The clients that messages are sent by. */
export interface PanelSenderParts {
  readonly clientV1: Pick<ClientV1, "sendBasicInfo" | "sendProbeResult" | "sendCommandResult">;
  readonly clientV2: Pick<ClientV2, "call">;
  /** The open WebSocket. */
  socket(): PanelSocket | undefined;
  /** The transport that works, or the one that is most likely to. */
  transport(): Transport;
}

/**
 * Sends everything but reports, by the transport of the reports.
 *
 * Nothing is sent by version 1 while version 2 works: panels from 1.5 on don't have it. Only results of
 * commands go there on panels up to 1.4, which have no method for them.
 */
export class PanelSender {
  readonly #parts: PanelSenderParts;
  /** Whether the panel has said that it does not know `agent.taskResult`. */
  #hasNoTaskResult = false;

  constructor(parts: PanelSenderParts) {
    this.#parts = parts;
  }

  /** Sends basic info. @throws {PanelError} When it is not accepted. */
  async sendBasicInfo(info: WireBasicInfo, signal: AbortSignal): Promise<void> {
    const { clientV1, transport } = this.#parts;
    if (isV1(transport())) return await clientV1.sendBasicInfo(info, signal);
    await this.#call("agent.basicInfo", { info }, { timeoutMs: BASIC_INFO_TIMEOUT_MS, signal });
  }

  /** Sends the result of a probe. @throws {PanelError} When it is not accepted. */
  async sendProbeResult(result: WireProbeResult, signal: AbortSignal): Promise<void> {
    const { clientV1, transport } = this.#parts;
    switch (transport()) {
      case "v1 POST":
        return await clientV1.sendProbeResult(result, signal);
      case "v1 WebSocket":
        return await this.#openSocket().sendProbeResult(result, signal);
      default: {
        const timeoutMs = PROBE_RESULT_TIMEOUT_MS;
        await this.#call("agent.pingResult", { ...result }, { timeoutMs, signal });
      }
    }
  }

  /** Sends the result of a command. @throws {PanelError} When it is not accepted. */
  async sendCommandResult(result: WireCommandResult, signal: AbortSignal): Promise<void> {
    const { transport } = this.#parts;
    if (isV1(transport()) || this.#hasNoTaskResult) return await this.#sendV1Result(result, signal);
    const timeoutMs = COMMAND_RESULT_TIMEOUT_MS;
    try {
      await this.#call("agent.taskResult", { ...result }, { timeoutMs, signal });
    } catch (error) {
      if (!isUnknownMethod(error)) throw error;
      this.#hasNoTaskResult = true;
      await this.#sendV1Result(result, signal);
    }
  }

  /**
   * Sends the answer to a file request, always by POST: the list of a folder may take megabytes, which
   * would hold up reports. One that the panel does not wait for any more is dropped.
   *
   * @throws {PanelError} When it is not accepted.
   */
  async sendFileResult(result: WireFileResult, signal: AbortSignal): Promise<void> {
    const method = "agent.file.result";
    const timeoutMs = FILE_RESULT_TIMEOUT_MS;
    const { clientV2 } = this.#parts;
    await ifAwaited(clientV2.call({ method, params: { ...result }, timeoutMs, signal }));
  }

  /**
   * Sends the answer to a request for the configuration. One that the panel does not wait for any more
   * is dropped.
   *
   * @throws {PanelError} When it is not accepted.
   */
  async sendStartupConfig(
    { requestId, config }: StartupConfig,
    signal: AbortSignal,
  ): Promise<void> {
    const params = { request_id: requestId, config };
    const options = { timeoutMs: STARTUP_CONFIG_TIMEOUT_MS, signal };
    await ifAwaited(this.#call("agent.startupConfig.result", params, options));
  }

  async #sendV1Result(result: WireCommandResult, signal: AbortSignal): Promise<void> {
    try {
      await this.#parts.clientV1.sendCommandResult(result, signal);
    } catch (error) {
      // The panel was updated, and has the method now.
      const isGone = error instanceof PanelError && error.failure === "unsupported protocol";
      if (isGone) this.#hasNoTaskResult = false;
      throw error;
    }
  }

  /** Makes a call of version 2, by its WebSocket if that is in use, else by POST. */
  async #call(
    method: string,
    params: Readonly<Record<string, unknown>>,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<void> {
    const { clientV2, transport } = this.#parts;
    const request = { method, params, ...options };
    if (transport() === "v2 WebSocket") await this.#openSocket().call(request);
    else await clientV2.call(request);
  }

  #openSocket(): PanelSocket {
    const socket = this.#parts.socket();
    if (socket === undefined) {
      throw new PanelError("Cannot send by WebSocket: it is closed", { failure: "unreachable" });
    }
    return socket;
  }
}

function isV1(transport: Transport): boolean {
  return transport === "v1 POST" || transport === "v1 WebSocket";
}

/** Ignores that the panel does not wait for a result any more. */
async function ifAwaited(call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof PanelError) || error.code !== NOT_AWAITED) throw error;
  }
}
