import { assertEquals, assertRejects } from "@std/assert";
import type { Transport } from "../../lib/panel/link_machine.ts";
import { MessageSender } from "../../lib/panel/message_sender.ts";
import type { PanelEvent } from "../../lib/panel/messages.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { PanelSocket } from "../../lib/panel/panel_socket.ts";
import { toWireBasicInfo, toWireProbeResult, toWireReport } from "../../lib/panel/protocol.ts";
import { FakeSocket } from "./fake_socket.ts";

const REPORT = toWireReport({ failures: [] });
const RESULT = toWireProbeResult({ taskId: 7, kind: "tcp", valueMs: 5, finishedAt: new Date(0) });
const EVENT: PanelEvent = { id: "e", message: { kind: "notice", text: "e" } };
const WAYS: readonly Transport[] = ["v2 WebSocket", "v2 POST", "v1 WebSocket", "v1 POST"];
const signal = new AbortController().signal;

function infoWith(addresses: { ipv4?: string; ipv6?: string }) {
  const options = { snapshot: { failures: [] }, version: "0", withoutNewColumns: false };
  return toWireBasicInfo({ facts: { arch: "amd64" }, addresses, ...options });
}

/** A sender that writes down by what it sends; its WebSocket answers every call. */
async function withCarrier(
  transport: Transport,
  use: (sender: MessageSender, sent: string[]) => Promise<void>,
): Promise<void> {
  const sent: string[] = [];
  const note = (what: string) => () => {
    sent.push(what);
    return Promise.resolve();
  };
  const socket = new FakeSocket();
  socket.send = (message) => {
    const { method, type, id } = JSON.parse(String(message));
    sent.push(`WebSocket ${method ?? type ?? "bare report"}`);
    socket.say({ id, result: {} });
    return Promise.resolve();
  };
  const version = transport === "v1 WebSocket" ? 1 : 2;
  const live = new PanelSocket(socket, { version, onMessage: () => {} });
  const running = live.run();
  const sender = new MessageSender({
    clientV1: {
      sendReport: note("http report"),
      sendBasicInfo: note("http basic info"),
      sendProbeResult: note("http probe result"),
    },
    clientV2: {
      report() {
        sent.push("rpc report");
        return Promise.resolve([EVENT]);
      },
      call({ method }) {
        sent.push(`rpc ${method}`);
        return Promise.resolve();
      },
    },
    socket: () => transport === "v1 WebSocket" || transport === "v2 WebSocket" ? live : undefined,
  });
  await use(sender, sent);
  live.close();
  await running;
}

Deno.test("MessageSender brings each message by the transport that it is told, once", async () => {
  const expected: Record<Transport, string[]> = {
    "v2 WebSocket": ["WebSocket agent.report", "WebSocket agent.pingResult"],
    "v2 POST": ["rpc report", "rpc agent.pingResult"],
    "v1 WebSocket": ["WebSocket bare report", "WebSocket ping_result"],
    "v1 POST": ["http report", "http probe result"],
  };
  for (const transport of WAYS) {
    await withCarrier(transport, async (sender, sent) => {
      const events = await sender.report(REPORT, { transport, timeoutMs: 1_000, signal });
      assertEquals(events, transport === "v2 POST" ? [EVENT] : []);
      await sender.probeResult(RESULT, { transport, signal });
      assertEquals(sent, expected[transport]);
    });
  }
});

Deno.test("MessageSender.basicInfo() goes by the older call when the panel has to see the address", async () => {
  const http = "http basic info";
  const byWay: Record<Transport, string> = {
    "v2 WebSocket": "WebSocket agent.basicInfo",
    "v2 POST": "rpc agent.basicInfo",
    "v1 WebSocket": http,
    "v1 POST": http,
  };
  for (const transport of WAYS) {
    await withCarrier(transport, async (sender, sent) => {
      await sender.basicInfo(infoWith({}), { transport, signal });
      await sender.basicInfo(infoWith({ ipv4: "192.0.2.1" }), { transport, signal });
      await sender.basicInfo(infoWith({ ipv6: "2001:db8::1" }), { transport, signal });
      assertEquals(sent, [http, byWay[transport], byWay[transport]]);
    });
  }
});

Deno.test("MessageSender fails when the WebSocket has gone in between", async () => {
  await withCarrier("v2 POST", async (sender, sent) => {
    const options = { transport: "v2 WebSocket", timeoutMs: 1_000, signal } as const;
    const tries = [
      () => sender.report(REPORT, options),
      () => sender.probeResult(RESULT, options),
      () => sender.basicInfo(infoWith({ ipv4: "192.0.2.1" }), options),
    ];
    for (const attempt of tries) {
      assertEquals((await assertRejects(attempt, PanelError)).failure, "unreachable");
    }
    assertEquals(sent, []);
  });
});
