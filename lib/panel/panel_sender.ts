import { CALL_TIMEOUT_MS } from "./http_exchange.ts";
import type { ClientV1 } from "./client_v1.ts";
import { type ClientV2, isUnknownMethod } from "./client_v2.ts";
import { failureOf, PanelError } from "./panel_error.ts";
import type { RpcParams } from "./messages.ts";
import type { PanelSocket } from "./panel_socket.ts";
import {
  type BasicInfoParts,
  toWireBasicInfo,
  toWireCommandResult,
  toWireFileResult,
  toWireProbeResult,
} from "./protocol.ts";
import type { Transport } from "./transport.ts";
import { type CommandResult, type FileResult, type ProbeResult, wholeText } from "../types.ts";

/** JSON-RPC error of a panel that does not wait for a result any more, or has it already. */
const NOT_AWAITED = -32004;

/** The result of a command that is longer goes by POST: it would hold up reports for seconds. */
const LONG_LENGTH = 256 * 1024;

/** The configuration that a panel has asked for, without secrets. */
export interface StartupConfig {
  readonly requestId: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * Sends everything but reports, by the transport of the reports: the link keeps `transport` and
 * `socket` up to date.
 *
 * Nothing is sent by version 1 while version 2 works: panels from 1.5 on don't have it. Only results of
 * commands go there on panels up to 1.4, which have no method for them.
 */
export class PanelSender {
  /** The transport that works, or the last one that did; nothing is sent before there was one. */
  transport: Transport = { version: 2, carrier: "POST" };
  /** The open WebSocket. */
  socket: PanelSocket | undefined;
  readonly #clientV1: ClientV1;
  readonly #clientV2: ClientV2;
  /** Whether the panel has said that it does not know `agent.taskResult`. */
  #hasNoTaskResult = false;

  /** @param clients They send where no WebSocket is open. */
  constructor(
    { clientV1, clientV2 }: { readonly clientV1: ClientV1; readonly clientV2: ClientV2 },
  ) {
    this.#clientV1 = clientV1;
    this.#clientV2 = clientV2;
  }

  /** Sends basic info. @throws {PanelError} When it is not accepted. */
  async sendBasicInfo(parts: BasicInfoParts, signal: AbortSignal): Promise<void> {
    const info = toWireBasicInfo(parts);
    if (this.transport.version === 1) return await this.#clientV1.sendBasicInfo(info, signal);
    await this.#call("agent.basicInfo", { info }, { timeoutMs: CALL_TIMEOUT_MS.basicInfo, signal });
  }

  /** Sends the result of a probe. @throws {PanelError} When it is not accepted. */
  async sendProbeResult(result: ProbeResult, signal: AbortSignal): Promise<void> {
    const message = toWireProbeResult(result);
    const { version, carrier } = this.transport;
    if (version === 2) {
      const timeoutMs = CALL_TIMEOUT_MS.probeResult;
      await this.#call("agent.pingResult", { ...message }, { timeoutMs, signal });
    } else if (carrier === "POST") await this.#clientV1.sendProbeResult(message, signal);
    else await this.requireSocket().sendProbeResult(message);
  }

  /** Sends the result of a command. @throws {PanelError} When it is not accepted. */
  async sendCommandResult(result: CommandResult, signal: AbortSignal): Promise<void> {
    const isLong = result.output.length > LONG_LENGTH;
    const output = isLong ? result.output : wholeText(result.output);
    const message = toWireCommandResult({ ...result, output });
    if (this.transport.version === 2 && !this.#hasNoTaskResult) {
      const method = "agent.taskResult";
      const params = { ...message };
      try {
        if (isLong) {
          const timeoutMs = CALL_TIMEOUT_MS.longCommandResult;
          await this.#clientV2.call({ method, params, timeoutMs, signal });
        } else {
          const timeoutMs = CALL_TIMEOUT_MS.commandResult;
          await this.#call(method, params, { timeoutMs, signal });
        }
        return;
      } catch (error) {
        if (!isUnknownMethod(error)) throw error;
        this.#hasNoTaskResult = true;
      }
    }
    try {
      await this.#clientV1.sendCommandResult(message, signal);
    } catch (error) {
      // The panel was updated, and has the method now.
      if (failureOf(error) === "unsupported protocol") this.#hasNoTaskResult = false;
      throw error;
    }
  }

  /**
   * Sends the answer to a file request, always by POST: the list of a folder may take megabytes, which
   * would hold up reports. One that the panel does not wait for any more is dropped.
   *
   * @throws {PanelError} When it is not accepted.
   */
  async sendFileResult(result: FileResult, signal: AbortSignal): Promise<void> {
    const method = "agent.file.result";
    const params = toWireFileResult(result);
    const timeoutMs = CALL_TIMEOUT_MS.fileResult;
    await ifAwaited(this.#clientV2.call({ method, params, timeoutMs, signal }));
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
    const options = { timeoutMs: CALL_TIMEOUT_MS.startupConfig, signal };
    await ifAwaited(this.#call("agent.startupConfig.result", params, options));
  }

  /**
   * Whether the panel is of those that let a control ping keep a WebSocket: from the same version on it knows a
   * result of `agent.startupConfig`, and refuses one that it has not asked for. Never rejects.
   */
  async acceptsPings(signal: AbortSignal): Promise<boolean> {
    const params = { request_id: crypto.randomUUID(), error: "which panel is this?" };
    const options = { timeoutMs: CALL_TIMEOUT_MS.startupConfig, signal };
    try {
      await this.#call("agent.startupConfig.result", params, options);
      return false;
    } catch (error) {
      return error instanceof PanelError && error.code === NOT_AWAITED;
    }
  }

  /** Makes a call of version 2, by its WebSocket if that is in use, else by POST. */
  async #call(
    method: string,
    params: RpcParams,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<void> {
    const request = { method, params, ...options };
    const { version, carrier } = this.transport;
    if (version === 2 && carrier === "WebSocket") await this.requireSocket().call(request);
    else await this.#clientV2.call(request);
  }

  /** The open WebSocket. @throws {PanelError} When none is open. */
  requireSocket(): PanelSocket {
    if (this.socket !== undefined) return this.socket;
    throw new PanelError("Cannot send by WebSocket: it is closed", { failure: "unreachable" });
  }
}

/** Ignores that the panel does not wait for a result any more. */
async function ifAwaited(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof PanelError) || error.code !== NOT_AWAITED) throw error;
  }
}
