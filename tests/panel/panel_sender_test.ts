import { Acknowledgements } from "../../lib/panel/acknowledgements.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import type { PanelSender } from "../../lib/panel/panel_sender.ts";
import { PanelSocket } from "../../lib/panel/panel_socket.ts";
import type { Transport } from "../../lib/panel/transport.ts";
import { fakeConnection } from "./fake_connection.ts";
import { FakeReceiver } from "./fake_receiver.ts";
import { FakeSocket } from "./fake_socket.ts";
import { type ScriptWords, testScripts } from "./scripts.ts";
import { V1_POST, V1_WEBSOCKET, V2_POST, V2_WEBSOCKET } from "./transports.ts";

const { signal } = new AbortController();
const finishedAt = new Date(0);
const PROBE = { taskId: 7, kind: "tcp", valueMs: 5, finishedAt } as const;
const INFO = {
  ...{ facts: { arch: "amd64" }, snapshot: { failures: [] }, addresses: {} },
  ...{ version: "0", withoutNewColumns: false },
};

/** A sender whose clients record what they send; a WebSocket is open over the version of `transport`. */
class Bench implements AsyncDisposable {
  readonly sender: PanelSender;
  /** Everything that was sent, with the client, and the seconds that each call of version 2 may take. */
  readonly sent: string[] = [];
  /** The code that version 2 answers with, and whether version 1 is gone. */
  code: number | undefined;
  isV1Gone = false;
  /** How each step has ended. */
  readonly ends: string[] = [];
  readonly #live: PanelSocket;
  readonly #running: Promise<void>;

  constructor(transport: Transport) {
    const socket = new FakeSocket();
    const acknowledgements = new Acknowledgements();
    const { version } = transport;
    const receiver = new FakeReceiver();
    this.#live = new PanelSocket(socket, { version, receiver, acknowledgements });
    socket.send = (message) => {
      const { method, type, id } = JSON.parse(String(message));
      if (type !== undefined) this.sent.push(`socket ${type}`);
      socket.say({ id, ...(this.code ? { error: { code: this.code } } : { result: method }) });
      return Promise.resolve();
    };
    const call = this.#live.call.bind(this.#live);
    this.#live.call = (request) => {
      this.sent.push(`socket ${request.method} ${request.timeoutMs / 1000}`);
      return call(request);
    };
    this.#running = this.#live.run();
    const { sender, clientV1, clientV2 } = fakeConnection();
    const v1 = (what: string) => async () => {
      this.sent.push(`v1 ${what}`);
      const gone = new PanelError("404", { failure: "unsupported protocol" });
      if (this.isV1Gone) await Promise.reject(gone);
    };
    clientV1.sendBasicInfo = v1("basic info");
    clientV1.sendProbeResult = v1("probe result");
    clientV1.sendCommandResult = v1("command result");
    clientV2.call = async ({ method, timeoutMs }) => {
      this.sent.push(`v2 ${method} ${timeoutMs / 1000}`);
      if (this.code === undefined) return [];
      return await Promise.reject(new PanelError("no", { failure: "rejected", code: this.code }));
    };
    this.sender = sender;
    sender.transport = transport;
    sender.socket = transport.carrier === "WebSocket" ? this.#live : undefined;
  }

  /** Keeps how a message ends. */
  async keep(sending: Promise<unknown>): Promise<void> {
    this.ends.push(
      await sending.then((it = "sent") => `${it}`, ({ failure, code }) => `${code ?? failure}`),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#live.close();
    await this.#running;
  }
}

const words: ScriptWords<Bench> = {
  steps: {
    code: (bench, code) => bench.code = code ? Number(code) : undefined,
    gone: (bench) => bench.isV1Gone = true,
    closed: ({ sender }) => sender.socket = undefined,
    info: (bench) => bench.keep(bench.sender.sendBasicInfo(INFO, signal)),
    probe: (bench) => bench.keep(bench.sender.sendProbeResult(PROBE, signal)),
    command(bench, length) {
      const result = { taskId: "c", output: "x".repeat(Number(length)), exitCode: 0, finishedAt };
      return bench.keep(bench.sender.sendCommandResult(result, signal));
    },
    file: (bench) =>
      bench.keep(bench.sender.sendFileResult({ requestId: "f", ok: true, error: "" }, signal)),
    config: (bench) =>
      bench.keep(bench.sender.sendStartupConfig({ requestId: "s", config: {} }, signal)),
    pings: (bench) => bench.keep(bench.sender.acceptsPings(signal)),
  },
  facts: {
    sent: ({ sent }) => sent.splice(0).join(", ").replaceAll("agent.", ""),
    ends: ({ ends }) => ends.splice(0).join(", "),
  },
  run: () => Promise.resolve(),
};

testScripts(
  `
sends each message once
  info; probe; command; config
  sent = socket basicInfo 20, socket pingResult 10, socket taskResult 30, socket startupConfig.result 10
  ends = sent, sent, sent, sent
sends a long output by POST, and gives it two minutes
  command 262144; command 262145; sent = socket taskResult 30, v2 taskResult 120
does not fall back after other errors
  code -32000; command; code -32602; command; code -32700; command; ends = -32000, -32602, -32700
  sent = socket taskResult 30, socket taskResult 30, socket taskResult 30
drops answers that the panel does not wait for any more
  code -32004; file; config; ends = sent, sent; sent = v2 file.result 30, socket startupConfig.result 10
  code -32000; file; ends = -32000
fails when the WebSocket was closed in between
  closed; probe; info; command; ends = unreachable, unreachable, unreachable; sent =
knows a panel by how it refuses a result that it has not asked for
  code -32004; pings; code -32601; pings; code; pings; ends = true, false, false
`,
  words,
  { subject: "PanelSender by v2 WebSocket", make: () => new Bench(V2_WEBSOCKET) },
);
testScripts(
  `
sends each message once
  info; probe; command; config
  sent = v2 basicInfo 20, v2 pingResult 10, v2 taskResult 30, v2 startupConfig.result 10
goes to version 1 when the panel does not know the method, and back when that was updated
  code -32601; command; sent = v2 taskResult 30, v1 command result; code; gone; command; sent = v1 command result
  command; sent = v2 taskResult 30; ends = sent, unsupported protocol, sent
`,
  words,
  { subject: "PanelSender by v2 POST", make: () => new Bench(V2_POST) },
);
// Version 1 has no message for the configuration.
testScripts(
  `
sends each message once
  info; probe; command; config; sent = v1 basic info, socket ping_result, v1 command result, v2 startupConfig.result 10
`,
  words,
  { subject: "PanelSender by v1 WebSocket", make: () => new Bench(V1_WEBSOCKET) },
);
testScripts(
  `
sends each message once
  info; probe; command; config; sent = v1 basic info, v1 probe result, v1 command result, v2 startupConfig.result 10
`,
  words,
  { subject: "PanelSender by v1 POST", make: () => new Bench(V1_POST) },
);
