import { assert, assertEquals, assertRejects } from "@std/assert";
import { Acknowledgements } from "../../lib/panel/acknowledgements.ts";
import { ClientV1 } from "../../lib/panel/client_v1.ts";
import { ClientV2 } from "../../lib/panel/client_v2.ts";
import { type PanelCall, type PanelResponse } from "../../lib/panel/http_exchange.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { toWireCommandResult, toWireReport } from "../../lib/panel/protocol.ts";
import { cases, sameLater } from "../cases.ts";
import { answer } from "./answers.ts";

const REPORT = toWireReport({ failures: [] });
const { signal } = new AbortController();
const WITHIN = { timeoutMs: 10_000, signal };

interface Sent {
  readonly call: PanelCall;
  readonly isPacked: boolean;
  readonly id: number;
  readonly method: string;
  readonly params: Record<string, unknown>;
}

/** A client of version 2 whose calls `panel` answers, and all that was sent. */
function v2To(panel: (sent: Sent) => PanelResponse | Promise<PanelResponse>, compresses = false) {
  const sent: Sent[] = [];
  const fetch = async (call: PanelCall) => {
    const isPacked = call.headers.some(([name]) => name === "content-encoding");
    const body = new Blob([call.body ?? ""].flat()).stream();
    const text = isPacked ? body.pipeThrough(new DecompressionStream("gzip")) : body;
    const { id, method, params } = await new Response(text).json();
    const last = { call, isPacked, id, method, params };
    sent.push(last);
    const response = await panel(last);
    if (response.status !== 200 || call.newSink === undefined) return response;
    call.newSink().add(new TextEncoder().encode(response.text));
    return { ...response, text: "" };
  };
  const acknowledgements = new Acknowledgements();
  return { client: new ClientV2(fetch, { acknowledgements, compresses }), sent };
}

function success({ id }: Sent, ...events: string[]): PanelResponse {
  const list = events.map((id) => ({ id, method: "agent.message", params: id }));
  const result = { status: "success", events: list };
  return answer(200, JSON.stringify({ jsonrpc: "2.0", id, result }));
}

/** The answer of words such as `502 <html>`. */
function answerOf(words: string): PanelResponse {
  const [, status, text] = /^(\d+) ?(.*)$/.exec(words) ?? [];
  return answer(Number(status), text);
}

/** The kind of a failure, its code or status, and its words behind the call's name. */
async function failureOf(call: Promise<unknown>, name: string): Promise<string> {
  const { failure, code, message } = await assertRejects(() => call, PanelError);
  assertEquals(message.slice(0, name.length), name);
  return [failure, code, message.slice(name.length)].filter((it) => it !== undefined).join(", ");
}

Deno.test("ClientV1.sendCommandResult() sends a blank for an empty output, which old panels refuse", async () => {
  const bodies: unknown[] = [];
  const client = new ClientV1(({ body }) => {
    bodies.push(new Blob([body ?? ""].flat()).text());
    return Promise.resolve(answer(200, '{"status":"success"}'));
  });
  const result = { taskId: "c", output: "", exitCode: 0, finishedAt: new Date(0) };
  await client.sendCommandResult(toWireCommandResult(result), signal);
  assertEquals(JSON.parse(`${await bodies[0]}`).result, " ");
});

/** Answers to a report of version 1, and the failures that they are. */
const V1_ANSWERS = cases(`
500 {"error":"bad row"} → rejected, status 500, "bad row"
500 {"error":{},"status":"error"} → rejected, status 500
400 no → rejected, status 400, "no"
501 → unsupported protocol, the answer is status 501
502 <html>bad gateway → unavailable, status 502 and a page of HTML, "bad gateway"
404 {"message":"install mode"} → unavailable, status 404, "install mode"
200 <html>login → unsupported protocol, the answer is a page of HTML
404 404 page not found → unsupported protocol, the answer is status 404
405 → unsupported protocol, the answer is status 405
200 {} → unreadable, the answer is no panel's
200 → unreadable, the answer is no panel's
302 → redirected, redirected to /
`);

Deno.test("ClientV1 throws the kind of error that an answer means", async () => {
  await sameLater((words) => {
    const client = new ClientV1(() => Promise.resolve(answerOf(words)));
    const name = "Cannot send report (POST /api/clients/report): ";
    return failureOf(client.sendReport(REPORT, WITHIN), name);
  }, V1_ANSWERS);
});

Deno.test("ClientV1.fetchTasks() asks for a list of up to 1 MiB, and throws for all else", async () => {
  const limits: unknown[] = [];
  const client = new ClientV1(({ limitBytes }) => {
    limits.push(limitBytes);
    return Promise.resolve(answer(200, "{broken"));
  });
  const { failure } = await assertRejects(() => client.fetchTasks(signal), PanelError);
  assertEquals([failure, limits], ["unreadable", [1024 * 1024]]);
});

Deno.test("ClientV2 calls agent.report, and agent.pull with its capabilities and more time than the panel takes", async () => {
  const { client, sent } = v2To(success);
  assertEquals(await client.report({ cpu: 1 }, WITHIN), []);
  const body = '{"jsonrpc":"2.0","method":"agent.report","params":{"report":{"cpu":1}},"id":1}';
  const { newSink: _, ...call } = sent[0]?.call ?? {};
  assertEquals(call, {
    ...{ path: "/api/clients/v2/rpc", name: "send agent.report (POST /api/clients/v2/rpc)" },
    ...{ method: "POST", headers: [["content-type", "application/json"]], body },
    timeoutMs: 10_000,
  });
  await client.pull(signal);
  assertEquals([sent[1]?.method, sent[1]?.call.timeoutMs], ["agent.pull", 40_000]);
  const names = ["exec", "ping", "message", "event", "terminal", "file", "startup_config"];
  assertEquals(sent[1]?.params, { capabilities: [...names, "switch_version"] });
});

Deno.test("ClientV2 acknowledges events in the very next report or pull, until that is answered", async () => {
  let isDown = false;
  const { client, sent } = v2To((call) => {
    if (isDown) return answer(502);
    return call.params["ack_event_ids"] === undefined ? success(call, "a", "b") : success(call);
  });
  assertEquals((await client.report({}, WITHIN)).map(({ id }) => id), ["a", "b"]);
  isDown = true;
  await assertRejects(() => client.pull(signal), PanelError);
  await client.call({ method: "agent.pingResult", params: {}, ...WITHIN }).catch(() => {});
  isDown = false;
  assertEquals(await client.pull(signal), []);
  assertEquals(await client.report({}, WITHIN), [], "both are known");
  const carried = sent.map(({ params }) => params["ack_event_ids"]);
  assertEquals(carried, [undefined, ["a", "b"], undefined, ["a", "b"], undefined]);
});

/** Answers to a report of version 2, and the failures that they are. */
const V2_ANSWERS = cases(`
400 {"id":1,"error":{"code":-32601,"message":"no method"}} → rejected, -32601, the panel answered "no method"
400 {"id":1,"error":{"code":-32000,"message":"x","data":"y"}} → rejected, -32000, the panel answered "x, y"
400 {"id":1,"error":{"code":-32602}} → rejected, -32602, the panel answered error -32602
200 {"id":1,"error":{"code":-32000}} → rejected, -32000, the panel answered error -32000
200 {"id":1,"error":{"message":"no"}} → rejected, the panel answered "no"
400 {"error":"bad request"} → rejected, the panel answered "bad request"
400 {"error":{}} → rejected, the panel answered error without a code
400 {"status":"error","message":"no"} → rejected, status 400, "no"
400 {"id":1,"result":{}} → rejected, status 400
400 <html> → rejected, status 400 and a page of HTML
404 404 page not found → unsupported protocol, the answer is status 404
404 <html> → unsupported protocol, the answer is a page of HTML
405 → unsupported protocol, the answer is status 405
501 → unsupported protocol, the answer is status 501
400 400 Bad Request → unsupported protocol, the answer is status 400
200 <html> → unsupported protocol, the answer is a page of HTML
200 → unreadable, the answer is no panel's
200 {"status":"success"} → unreadable, the answer is no panel's
200 {"method":"agent.exec"} → unreadable, the answer is no panel's
500 oops → rejected, status 500, "oops"
502 <html> → unavailable, status 502 and a page of HTML
`);

Deno.test("ClientV2 throws the kind of error that an answer means, and repeats no call that was refused", async () => {
  await sameLater(async (words) => {
    const { client, sent } = v2To(() => answerOf(words), true);
    const name = "Cannot send agent.report (POST /api/clients/v2/rpc): ";
    const failure = await failureOf(client.report({ text: LONG }, WITHIN), name);
    assertEquals(sent.length, 1);
    return failure;
  }, V2_ANSWERS);
});

/** Answers, and whether they tell that the panel knows the token. */
const TOKEN_ANSWERS = cases(`
400 {"error":"Require WebSocket upgrade"} → true
400 Bad Request → unsupported protocol
401 {"message":"Unauthorized."} → false
401 <html> → unavailable
`);

Deno.test("ClientV2.isTokenKnown() believes the panel's own answers only", async () => {
  await sameLater(async (words) => {
    const fetch = () => Promise.resolve(answerOf(words));
    const client = new ClientV2(fetch, {
      acknowledgements: new Acknowledgements(),
      compresses: false,
    });
    return `${await client.isTokenKnown(WITHIN).catch(({ failure }) => failure)}`;
  }, TOKEN_ANSWERS);
});

Deno.test("ClientV2.call() passes on errors of the connection, and tries once", async () => {
  const gone = new PanelError("Cannot ask: refused", { failure: "unreachable" });
  const { client, sent } = v2To(() => Promise.reject(gone));
  const call = () => client.call({ method: "agent.basicInfo", params: {}, ...WITHIN });
  assertEquals(await assertRejects(call, PanelError), gone);
  assertEquals(sent.length, 1);
});

/** A text that is compressed. */
const LONG = "x".repeat(1_400);

Deno.test("ClientV2 compresses bodies that are longer than a packet", async () => {
  const { client, sent } = v2To(success, true);
  await client.report({ message: "x".repeat(1_300) }, WITHIN);
  await client.report({ message: LONG }, WITHIN);
  assertEquals(sent.map(({ isPacked }) => isPacked), [false, true]);
  assertEquals(sent[1]?.params, { report: { message: LONG } });
  const body = sent[1]?.call.body;
  assert(Array.isArray(body) && body[0].length < 200);
});

Deno.test("ClientV2 sends a text in pieces as one text, compressed or not", async () => {
  const pieces = ["one \ud83d", '\ude00\n"', "two"];
  const output = { length: 9, [Symbol.iterator]: () => pieces.values() };
  for (const compresses of [false, true]) {
    const { client, sent } = v2To(success, compresses);
    const params = { "a\n": [null, 1], output, exit_code: 0 };
    await client.call({ method: "agent.taskResult", params, ...WITHIN });
    assertEquals([sent[0]?.isPacked, sent[0]?.id], [compresses, 1]);
    assertEquals(sent[0]?.params, { ...params, output: pieces.join("") });
  }
});
