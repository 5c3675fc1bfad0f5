import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ClientV2, toPanelError } from "../../lib/panel/client_v2.ts";
import { Acknowledgements } from "../../lib/panel/acknowledgements.ts";
import { answer } from "./answers.ts";
import type { PanelCall, PanelResponse } from "../../lib/panel/http_exchange.ts";
import { PanelError, type PanelFailure } from "../../lib/panel/panel_error.ts";

const signal = new AbortController().signal;
const WITHIN = { timeoutMs: 10_000, signal };
const HTML = "<!doctype html><title>panel</title>";

interface Sent {
  readonly call: PanelCall;
  readonly packed: boolean;
  readonly id: number;
  readonly method: string;
  readonly params: Record<string, unknown>;
}

type Panel = (sent: Sent) => PanelResponse | Promise<PanelResponse>;

/** An ClientV2 whose calls `panel` answers, and all that was sent. */
function rpcTo(panel: Panel, options = { compresses: false }): { rpc: ClientV2; sent: Sent[] } {
  const sent: Sent[] = [];
  const fetch = async (call: PanelCall) => {
    const packed = call.headers.some(([name]) => name === "content-encoding");
    const { id, method, params } = JSON.parse(await textOf(call.body, packed));
    sent.push({ call, packed, id, method, params });
    const response = await panel({ call, packed, id, method, params });
    if (response.status !== 200 || call.newSink === undefined) return response;
    call.newSink().add(new TextEncoder().encode(response.text));
    return { ...response, text: "" };
  };
  const acknowledgements = new Acknowledgements();
  return { rpc: new ClientV2(fetch, { acknowledgements, ...options }), sent };
}

async function textOf(body: PanelCall["body"], packed: boolean): Promise<string> {
  if (body === undefined || typeof body === "string") return body ?? "";
  assert(packed, "bytes are packed ones");
  const unpacked = new Blob([body]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(unpacked).text();
}

function json(status: number, message: unknown): PanelResponse {
  return answer(status, JSON.stringify(message));
}

function success({ id }: Sent, events: readonly unknown[] = []): PanelResponse {
  return json(200, { jsonrpc: "2.0", id, result: { status: "success", events } });
}

function notice(id: string): unknown {
  return { id, method: "agent.message", params: id };
}

Deno.test("ClientV2.report() calls agent.report", async () => {
  const { rpc, sent } = rpcTo(success);
  assertEquals(await rpc.report({ cpu: 1 }, WITHIN), []);
  const [first] = sent;
  assertEquals(first?.call.path, "/api/clients/v2/rpc");
  assertEquals(first?.call.name, "send agent.report (POST /api/clients/v2/rpc)");
  assertEquals(first?.call.headers, [["content-type", "application/json"]]);
  assertEquals(
    first?.call.body,
    '{"jsonrpc":"2.0","method":"agent.report",' +
      '"params":{"report":{"cpu":1}},"id":1}',
  );
});

Deno.test("ClientV2.pull() sends the capabilities, and waits for longer than the panel", async () => {
  const { rpc, sent } = rpcTo(success);
  await rpc.pull(signal);
  assertEquals(sent[0]?.method, "agent.pull");
  assertEquals(sent[0]?.params, {
    capabilities: [
      "exec",
      "ping",
      "message",
      "event",
      "terminal",
      "file",
      "startup_config",
      "switch_version",
    ],
  });
  assertEquals(sent[0]?.call.timeoutMs, 40_000);
});

Deno.test("ClientV2 acknowledges events in the very next report or pull, until that is answered", async () => {
  let isDown = false;
  const { rpc, sent } = rpcTo((call) => {
    if (isDown) return answer(502, HTML);
    const acknowledged = call.params["ack_event_ids"];
    return success(call, acknowledged === undefined ? [notice("a"), notice("b")] : []);
  });
  const events = await rpc.report({}, WITHIN);
  assertEquals(events.map(({ id }) => id), ["a", "b"]);
  isDown = true;
  await assertRejects(() => rpc.pull(signal), PanelError);
  await rpc.call({ method: "agent.pingResult", params: {}, ...WITHIN }).catch(() => {});
  isDown = false;
  assertEquals(await rpc.pull(signal), []);
  assertEquals((await rpc.report({}, WITHIN)).length, 0, "both are known");
  assertEquals(sent.map(({ params }) => params["ack_event_ids"]), [
    undefined,
    ["a", "b"],
    undefined,
    ["a", "b"],
    undefined,
  ]);
});

Deno.test("ClientV2 throws the kind of error that an answer means", async () => {
  const cases: [PanelResponse, PanelFailure, number | undefined, string][] = [
    [json(400, { id: 1, error: { code: -32601, message: "no method" } }), "rejected", -32601, "no"],
    [
      json(400, { id: 1, error: { code: -32000, message: "x", data: "y" } }),
      "rejected",
      -32000,
      "x, y",
    ],
    [json(400, { id: 1, error: { code: -32602 } }), "rejected", -32602, "error -32602"],
    [json(200, { id: 1, error: { code: -32000 } }), "rejected", -32000, "error -32000"],
    // What has no code of JSON-RPC is no sign of version 2.
    [json(400, { error: "bad request" }), "rejected", undefined, '"bad request"'],
    [json(400, { error: {} }), "rejected", undefined, "error without a code"],
    [json(400, { status: "error", message: "no" }), "rejected", undefined, "status 400"],
    [answer(400, HTML), "rejected", undefined, "HTML"],
    [answer(404, "404 page not found"), "unsupported protocol", undefined, "status 404"],
    [answer(404, HTML), "unsupported protocol", undefined, "a page of HTML"],
    [answer(405, ""), "unsupported protocol", undefined, "status 405"],
    [answer(501, ""), "unsupported protocol", undefined, "status 501"],
    [answer(400, "400 Bad Request"), "unsupported protocol", undefined, "status 400"],
    [answer(200, HTML), "unsupported protocol", undefined, "a page of HTML"],
    [answer(200, ""), "unreadable", undefined, "no panel's"],
    [json(200, { status: "success" }), "unreadable", undefined, "no panel's"],
    [json(200, { method: "agent.exec" }), "unreadable", undefined, "no panel's"],
    [json(400, { id: 1, result: {} }), "rejected", undefined, "status 400"],
    // As {@linkcode statusError} has it.
    [answer(502, HTML), "unavailable", undefined, "status 502"],
  ];
  for (const [answer, failure, code, words] of cases) {
    const { rpc } = rpcTo(() => answer);
    const error = await assertRejects(() => rpc.report({}, WITHIN), PanelError);
    assertEquals([error.failure, error.code], [failure, code], error.message);
    assertStringIncludes(error.message, words);
    assertStringIncludes(error.message, "Cannot send agent.report (POST /api/clients/v2/rpc): ");
  }
});

Deno.test("ClientV2.call() passes on errors of the connection", async () => {
  const gone = new PanelError("Cannot ask: refused", { failure: "unreachable" });
  const { rpc, sent } = rpcTo(() => Promise.reject(gone), { compresses: true });
  const params = { text: "x".repeat(1000) };
  const error = await assertRejects(
    () => rpc.call({ method: "agent.basicInfo", params, ...WITHIN }),
    PanelError,
  );
  assertEquals(error, gone);
  assertEquals(sent.length, 1, "it is not tried again");
});

/** A text that is compressed. */
const LONG = "x".repeat(1_400);

Deno.test("ClientV2 compresses bodies that are longer than a packet", async () => {
  const { rpc, sent } = rpcTo(success, { compresses: true });
  await rpc.report({ message: "x".repeat(1_300) }, WITHIN);
  await rpc.report({ message: LONG }, WITHIN);
  assertEquals(sent.map(({ packed }) => packed), [false, true]);
  assertEquals(sent[1]?.params, { report: { message: LONG } });
  const body = sent[1]?.call.body;
  assert(body instanceof Uint8Array && body.length < 200);
});

Deno.test("ClientV2 does not repeat a call that was refused", async () => {
  const saved = json(400, { id: 1, error: { code: -32000, message: "not saved" } });
  const cases: [PanelResponse, number][] = [
    [saved, 1_400],
    [answer(400, HTML), 10],
    [answer(500, "oops"), 1_400],
    [answer(500, HTML), 1_400],
    [json(500, { error: "oops" }), 1_400],
    [json(200, { error: "not now" }), 1_400],
    [json(200, { id: 1, error: { message: "without a code" } }), 1_400],
    [answer(502, HTML), 1_400],
  ];
  for (const [answer, length] of cases) {
    const { rpc, sent } = rpcTo(() => answer, { compresses: true });
    const report = { message: "x".repeat(length) };
    await assertRejects(() => rpc.report(report, WITHIN), PanelError);
    assertEquals(sent.length, 1);
  }
});
Deno.test("toPanelError() quotes the panel, or its code when there is no text", () => {
  const error = toPanelError("send x", { code: -32000, text: "not saved" });
  assertEquals(error.message, 'Cannot send x: the panel answered "not saved"');
  assertEquals([error.failure, error.code], ["rejected", -32000]);
  assertEquals(
    toPanelError("send x", { code: -32601, text: "" }).message,
    "Cannot send x: the panel answered error -32601",
  );
  const bare = toPanelError("send x", { text: "" });
  assertEquals(bare.message, "Cannot send x: the panel answered error without a code");
  assertEquals(bare.code, undefined);
});
