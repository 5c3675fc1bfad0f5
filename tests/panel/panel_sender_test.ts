import { assertEquals, assertRejects } from "@std/assert";
import { Acknowledgements } from "../../lib/panel/acknowledgements.ts";
import type { PanelSender } from "../../lib/panel/panel_sender.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { PanelSocket } from "../../lib/panel/panel_socket.ts";
import type { CommandResult, FileResult, ProbeResult } from "../../lib/types.ts";
import { type Transport, transportName } from "../../lib/panel/transport.ts";
import { fakeConnection } from "./fake_connection.ts";
import { FakeReceiver } from "./fake_receiver.ts";
import { FakeSocket } from "./fake_socket.ts";
import { V1_POST, V1_WEBSOCKET, V2_POST, V2_WEBSOCKET } from "./transports.ts";

const finishedAt = new Date(0);
const PROBE_RESULT: ProbeResult = { taskId: 7, kind: "tcp", valueMs: 5, finishedAt };
const COMMAND_RESULT: CommandResult = { taskId: "c", output: "", exitCode: 0, finishedAt };
const FILE_RESULT: FileResult = { requestId: "f", ok: true, result: null, error: "" };
const TRANSPORTS: readonly Transport[] = [V2_WEBSOCKET, V2_POST, V1_WEBSOCKET, V1_POST];
const signal = new AbortController().signal;

function infoWith(addresses: { ipv4?: string; ipv6?: string }) {
  const options = { snapshot: { failures: [] }, version: "0", withoutNewColumns: false };
  return { facts: { arch: "amd64" }, addresses, ...options };
}

interface Bench {
  readonly sender: PanelSender;
  /** Everything that was sent, with the client. */
  readonly sent: string[];
  /** How long each call of version 2 may take, in milliseconds. */
  readonly timeoutsMs: number[];
  /** JSON-RPC code that version 2 answers with. */
  rpcError?: number;
  v1Error?: PanelError;
}

/** A sender whose clients record what they send; its WebSocket is open over either version. */
async function withSender(
  transport: Transport,
  use: (bench: Bench) => Promise<void>,
): Promise<void> {
  const sent: string[] = [];
  const timeoutsMs: number[] = [];
  const socket = new FakeSocket();
  socket.send = (message) => {
    const { method, type, id } = JSON.parse(String(message));
    sent.push(`WebSocket ${method ?? type}`);
    const error = bench.rpcError === undefined ? undefined : { code: bench.rpcError };
    socket.say({ id, ...(error ? { error } : { result: {} }) });
    return Promise.resolve();
  };
  const live = new PanelSocket(socket, {
    version: transport.version,
    receiver: new FakeReceiver(),
    acknowledgements: new Acknowledgements(),
  });
  const call = live.call.bind(live);
  live.call = async (request) => {
    timeoutsMs.push(request.timeoutMs);
    await call(request);
  };
  const running = live.run();
  const v1 = (what: string) => {
    sent.push(`v1 ${what}`);
    return bench.v1Error === undefined ? Promise.resolve() : Promise.reject(bench.v1Error);
  };
  const { sender, clientV1, clientV2 } = fakeConnection();
  clientV1.sendBasicInfo = () => v1("basic info");
  clientV1.sendProbeResult = () => v1("probe result");
  clientV1.sendCommandResult = () => v1("command result");
  clientV2.call = ({ method, timeoutMs }) => {
    timeoutsMs.push(timeoutMs);
    sent.push(`v2 ${method}`);
    const { rpcError: code } = bench;
    const options = { failure: "rejected", code } as const;
    return code === undefined
      ? Promise.resolve([])
      : Promise.reject(new PanelError("refused", options));
  };
  const bench: Bench = { sent, timeoutsMs, sender };
  bench.sender.transport = transport;
  bench.sender.socket = transport.carrier === "WebSocket" ? live : undefined;
  await use(bench);
  live.close();
  await running;
}

Deno.test("PanelSender sends each message once, by the transport of the reports", async () => {
  const methods = ["basicInfo", "pingResult", "taskResult", "startupConfig.result"];
  const expected: Record<string, string[]> = {
    "v2 WebSocket": methods.map((method) => `WebSocket agent.${method}`),
    "v2 POST": methods.map((method) => `v2 agent.${method}`),
    // Version 1 has no message for the configuration.
    "v1 WebSocket": [
      "v1 basic info",
      "WebSocket ping_result",
      "v1 command result",
      "v2 agent.startupConfig.result",
    ],
    "v1 POST": [
      "v1 basic info",
      "v1 probe result",
      "v1 command result",
      "v2 agent.startupConfig.result",
    ],
  };
  for (const transport of TRANSPORTS) {
    await withSender(transport, async ({ sender, sent, timeoutsMs }) => {
      await sender.sendBasicInfo(infoWith({ ipv4: "192.0.2.1" }), signal);
      await sender.sendProbeResult(PROBE_RESULT, signal);
      await sender.sendCommandResult(COMMAND_RESULT, signal);
      await sender.sendStartupConfig({ requestId: "s", config: {} }, signal);
      assertEquals(sent, expected[transportName(transport)]);
      assertEquals(
        timeoutsMs,
        transport.version === 2 ? [20_000, 10_000, 30_000, 10_000] : [10_000],
      );
    });
  }
});

Deno.test("PanelSender.sendCommandResult() sends a long output by POST, and gives it two minutes", async () => {
  await withSender(V2_WEBSOCKET, async ({ sender, sent, timeoutsMs }) => {
    for (const length of [256 * 1024, 256 * 1024 + 1]) {
      await sender.sendCommandResult({ ...COMMAND_RESULT, output: "x".repeat(length) }, signal);
    }
    assertEquals(sent, ["WebSocket agent.taskResult", "v2 agent.taskResult"]);
    assertEquals(timeoutsMs, [30_000, 120_000]);
  });
});

Deno.test("PanelSender.sendCommandResult() does not fall back after other errors", async () => {
  for (const code of [-32000, -32602, -32700]) {
    await withSender(V2_WEBSOCKET, async (bench) => {
      bench.rpcError = code;
      await assertRejects(() => bench.sender.sendCommandResult(COMMAND_RESULT, signal), PanelError);
      assertEquals(bench.sent, ["WebSocket agent.taskResult"]);
    });
  }
});

Deno.test("PanelSender.sendCommandResult() goes to version 1 when the panel does not know the method, and back when that was updated", async () => {
  await withSender(V2_POST, async (bench) => {
    const { sender, sent } = bench;
    bench.rpcError = -32601;
    await sender.sendCommandResult(COMMAND_RESULT, signal);
    delete bench.rpcError;
    bench.v1Error = new PanelError("404", { failure: "unsupported protocol", status: 404 });
    await assertRejects(() => sender.sendCommandResult(COMMAND_RESULT, signal), PanelError);
    await sender.sendCommandResult(COMMAND_RESULT, signal);
    const newer = "v2 agent.taskResult";
    assertEquals(sent, [newer, "v1 command result", "v1 command result", newer]);
  });
});

Deno.test("PanelSender drops answers that the panel does not wait for any more", async () => {
  await withSender(V2_WEBSOCKET, async (bench) => {
    const { sender, sent } = bench;
    bench.rpcError = -32004;
    await sender.sendFileResult(FILE_RESULT, signal);
    await sender.sendStartupConfig({ requestId: "s", config: {} }, signal);
    assertEquals(bench.timeoutsMs, [30_000, 10_000]);
    assertEquals(sent, ["v2 agent.file.result", "WebSocket agent.startupConfig.result"]);
    bench.rpcError = -32000;
    await assertRejects(() => sender.sendFileResult(FILE_RESULT, signal), PanelError);
  });
});

Deno.test("PanelSender fails when the WebSocket was closed in between", async () => {
  await withSender(V2_POST, async (bench) => {
    const { sender, sent } = bench;
    const { sender: socketless } = fakeConnection();
    socketless.transport = V2_WEBSOCKET;
    const attempts = [
      () => socketless.sendProbeResult(PROBE_RESULT, signal),
      () => socketless.sendBasicInfo(infoWith({}), signal),
      () => socketless.sendCommandResult(COMMAND_RESULT, signal),
    ];
    for (const attempt of attempts) {
      assertEquals((await assertRejects(attempt, PanelError)).failure, "unreachable");
    }
    assertEquals(sent, []);
    await sender.sendBasicInfo(infoWith({}), signal);
  });
});

Deno.test("PanelSender.acceptsPings() knows a panel by how it refuses a result that it has not asked for", async () => {
  for (
    const [rpcError, expected] of [[-32004, true], [-32601, false], [undefined, false]] as const
  ) {
    await withSender(V2_WEBSOCKET, async (bench) => {
      if (rpcError !== undefined) bench.rpcError = rpcError;
      assertEquals(await bench.sender.acceptsPings(signal), expected);
      assertEquals(bench.sent, ["WebSocket agent.startupConfig.result"]);
    });
  }
});
