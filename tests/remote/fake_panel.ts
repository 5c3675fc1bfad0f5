import { FileTransferClient, type TransferTicket } from "../../lib/panel/file_transfers.ts";
import { MessageLimit } from "../../lib/panel/message_limit.ts";
import { PanelSender, type StartupConfig } from "../../lib/panel/panel_sender.ts";
import { WebSocketOpener } from "../../lib/panel/websocket_opener.ts";
import type { ByteSink, StreamedBody } from "../../lib/net/http_stream.ts";
import type { RemotePanel } from "../../lib/remote/remote_control.ts";
import { type CommandResult, type FileResult, wholeText } from "../../lib/types.ts";
import { fakeConnection } from "../panel/fake_connection.ts";
import { TerminalSocket } from "./terminal_socket.ts";

const access = { endpoint: "http://127.0.0.1:9", token: "" };
const unused = () => Promise.reject(new Error("a fake panel is not dialled"));
const clientOptions = { dialer: { dial: unused }, headers: [] };

/** Keeps what is sent. */
export class FakeSender extends PanelSender {
  readonly commandResults: (CommandResult & { output: string })[] = [];
  readonly fileResults: FileResult[] = [];
  readonly startupConfigs: StartupConfig[] = [];
  /** Called before each message; the panel does not accept it when this rejects. */
  beforeEach: () => Promise<void> | void = () => {};

  constructor() {
    super(fakeConnection());
  }

  override async sendCommandResult(result: CommandResult, _signal: AbortSignal): Promise<void> {
    await this.beforeEach();
    this.commandResults.push({ ...result, output: wholeText(result.output) });
  }

  override async sendFileResult(result: FileResult): Promise<void> {
    await this.beforeEach();
    this.fileResults.push(result);
  }

  override async sendStartupConfig(config: StartupConfig): Promise<void> {
    await this.beforeEach();
    this.startupConfigs.push(config);
  }
}

/** Opens terminals' connections to a panel that a test plays. */
export class FakeOpener extends WebSocketOpener {
  /** Connections in the order in which they were dialled. */
  readonly sockets: TerminalSocket[] = [];
  /** By the request of the terminal. */
  readonly byRequest = new Map<string, TerminalSocket>();
  /** Dials; may be set to give none, to throw or to wait. */
  dial: (signal: AbortSignal) => TerminalSocket | undefined | Promise<TerminalSocket | undefined> =
    () => new TerminalSocket();

  constructor() {
    super(access, clientOptions);
  }

  override async openTerminal(
    requestId: string,
    signal: AbortSignal,
  ): Promise<TerminalSocket | undefined> {
    const socket = await this.dial(signal);
    if (socket === undefined) return undefined;
    this.sockets.push(socket);
    this.byRequest.set(requestId, socket);
    return socket;
  }
}

/** Transfers of a panel that keeps all bytes in memory. */
export class FakeTransfers extends FileTransferClient {
  /** Bytes that were sent, by transfer. */
  readonly sent = new Map<string, Uint8Array>();
  /** Bytes that the panel gives, by transfer; cut off when they are fewer than asked for. */
  readonly offered = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Called before each piece. */
  beforePiece: (ticket: TransferTicket, signal: AbortSignal) => Promise<void> = () =>
    Promise.resolve();

  constructor() {
    super(access, clientOptions);
  }

  override async send(
    ticket: TransferTicket,
    body: StreamedBody,
    signal: AbortSignal,
  ): Promise<void> {
    const whole = new Uint8Array(body.lengthBytes);
    for (let at = 0; at < whole.length;) {
      await this.beforePiece(ticket, signal);
      const count = await body.read(whole.subarray(at, at + 1000));
      if (count === 0) throw new Error("the body is too short");
      at += count;
    }
    this.sent.set(ticket.id, whole);
  }

  override async receive(
    ticket: TransferTicket,
    sink: ByteSink,
    signal: AbortSignal,
  ): Promise<void> {
    const bytes = this.offered.get(ticket.id) ?? new Uint8Array(0);
    for (let at = 0; at < bytes.length; at += 1000) {
      await this.beforePiece(ticket, signal);
      await sink.write(bytes.subarray(at, at + 1000));
    }
    if (bytes.length !== sink.lengthBytes) throw new Error("the transfer was cut off");
  }
}

/** A panel that accepts everything. */
export class FakePanel implements RemotePanel {
  readonly sender = new FakeSender();
  readonly opener = new FakeOpener();
  readonly transfers = new FakeTransfers();
  readonly limit = new MessageLimit();
}

/** Dials without an end: it is broken off when the signal aborts. */
export function dialForever(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}
