import { assertEquals, assertRejects } from "@std/assert";
import type { Way } from "../../lib/panel/link_machine.ts";
import { Carrier } from "../../lib/panel/message_sender.ts";
import type { PanelEvent } from "../../lib/panel/messages.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { LiveSocket } from "../../lib/panel/panel_socket.ts";
import { toWireBasicInfo, toWireProbeResult, toWireReport } from "../../lib/panel/protocol.ts";
import { FakeSocket } from "./fake_socket.ts";

const REPORT = toWireReport({ failures: [] });
const RESULT = toWireProbeResult({ taskId: 7, kind: "tcp", valueMs: 5, finishedAt: new Date(0) });
const EVENT: PanelEvent = { id: "e", message: { kind: "notice", text: "e" } };
const WAYS: readonly Way[] = ["v2 WebSocket", "v2 POST", "v1 WebSocket", "v1 POST"];
const signal = new AbortController().signal;

function infoWith(addresses: { ipv4?: string; ipv6?: string }) {
  const options = { snapshot: { failures: [] }, version: "0", withoutNewColumns: false };
  return toWireBasicInfo({ facts: { arch: "amd64" }, addresses, ...options });
}

/** A carrier that writes down by what it sends; its WebSocket answers every call. */
async function withCarrier(
  way: Way,
  use: (carrier: Carrier, sent: string[]) => Promise<void>,
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
  const version = way === "v1 WebSocket" ? 1 : 2;
  const live = new LiveSocket(socket, { version, onMessage: () => {} });
  const running = live.run();
  const carrier = new Carrier({
    http: {
      sendReport: note("http report"),
      sendBasicInfo: note("http basic info"),
      sendProbeResult: note("http probe result"),
    },
    rpc: {
      report() {
        sent.push("rpc report");
        return Promise.resolve([EVENT]);
      },
      call({ method }) {
        sent.push(`rpc ${method}`);
        return Promise.resolve();
      },
    },
    socket: () => way === "v1 WebSocket" || way === "v2 WebSocket" ? live : undefined,
  });
  await use(carrier, sent);
  live.close();
  await running;
}

Deno.test("Carrier brings each message by the way that it is told, once", async () => {
  const expected: Record<Way, string[]> = {
    "v2 WebSocket": ["WebSocket agent.report", "WebSocket agent.pingResult"],
    "v2 POST": ["rpc report", "rpc agent.pingResult"],
    "v1 WebSocket": ["WebSocket bare report", "WebSocket ping_result"],
    "v1 POST": ["http report", "http probe result"],
  };
  for (const way of WAYS) {
    await withCarrier(way, async (carrier, sent) => {
      const events = await carrier.report(REPORT, { way, timeoutMs: 1_000, signal });
      assertEquals(events, way === "v2 POST" ? [EVENT] : []);
      await carrier.probeResult(RESULT, { way, signal });
      assertEquals(sent, expected[way]);
    });
  }
});

Deno.test("Carrier.basicInfo() goes by the older call when the panel has to see the address", async () => {
  const http = "http basic info";
  const byWay: Record<Way, string> = {
    "v2 WebSocket": "WebSocket agent.basicInfo",
    "v2 POST": "rpc agent.basicInfo",
    "v1 WebSocket": http,
    "v1 POST": http,
  };
  for (const way of WAYS) {
    await withCarrier(way, async (carrier, sent) => {
      await carrier.basicInfo(infoWith({}), { way, signal });
      await carrier.basicInfo(infoWith({ ipv4: "192.0.2.1" }), { way, signal });
      await carrier.basicInfo(infoWith({ ipv6: "2001:db8::1" }), { way, signal });
      assertEquals(sent, [http, byWay[way], byWay[way]]);
    });
  }
});

Deno.test("Carrier fails when the WebSocket has gone in between", async () => {
  await withCarrier("v2 POST", async (carrier, sent) => {
    const options = { way: "v2 WebSocket", timeoutMs: 1_000, signal } as const;
    const tries = [
      () => carrier.report(REPORT, options),
      () => carrier.probeResult(RESULT, options),
      () => carrier.basicInfo(infoWith({ ipv4: "192.0.2.1" }), options),
    ];
    for (const attempt of tries) {
      assertEquals((await assertRejects(attempt, PanelError)).failure, "unreachable");
    }
    assertEquals(sent, []);
  });
});
