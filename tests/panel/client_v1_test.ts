import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { NetDialer } from "../../lib/net/dialer.ts";
import { HttpClient } from "../../lib/net/http_client.ts";
import { MessageLimit } from "../../lib/panel/message_limit.ts";
import { ClientV1 } from "../../lib/panel/client_v1.ts";
import { createPanelFetch } from "../../lib/panel/http_exchange.ts";
import { PanelError, type PanelFailure } from "../../lib/panel/panel_error.ts";
import {
  toWireBasicInfo,
  toWireCommandResult,
  toWireProbeResult,
  toWireReport,
} from "../../lib/panel/protocol.ts";

const TOKEN = "s3cret/+&=";
const SUCCESS = '{"status":"success"}';
const REPORT = toWireReport({ failures: [] });
const INFO = toWireBasicInfo({
  facts: { arch: "amd64" },
  snapshot: { failures: [] },
  addresses: {},
  version: "0",
  withoutNewColumns: false,
});
const never = new AbortController().signal;

const WITHIN = { timeoutMs: 10_000, signal: never };

type Handler = (request: Request) => Response | Promise<Response>;

/** A panel that answers like this, and a client of it. */
function served(handler: Handler, path = "") {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler);
  const endpoint = `http://127.0.0.1:${server.addr.port}${path}`;
  const client = new HttpClient({ dialer: new NetDialer() });
  const headers = [["user-agent", "komari-agent-deno/0"]] as const;
  const limit = new MessageLimit();
  const fetch = createPanelFetch({ endpoint, token: TOKEN }, { client, headers, limit });
  const timeouts: [call: string, ms: number][] = [];
  return {
    panel: new ClientV1((call, signal) => {
      timeouts.push([call.name, call.timeoutMs]);
      return fetch(call, signal);
    }),
    timeouts,
    async [Symbol.asyncDispose]() {
      client.close();
      await server.shutdown();
    },
  };
}

async function failureOf(handler: Handler): Promise<PanelError> {
  await using it = served(handler);
  const error = await assertRejects(() => it.panel.sendReport(REPORT, WITHIN), PanelError);
  assertEquals(Deno.inspect(error).includes("s3cret"), false, "no token in the error");
  return error;
}

Deno.test("ClientV1 calls the panel's paths with the encoded token and no Origin, each for a limited time", async () => {
  const seen: string[] = [];
  const headers: Headers[] = [];
  await using it = served(async (request) => {
    const { pathname, search } = new URL(request.url);
    seen.push(`${request.method} ${pathname}${search} ${await request.text()}`);
    headers.push(request.headers);
    return new Response(request.method === "GET" ? "[]" : SUCCESS);
  }, "/base");
  const { panel, timeouts } = it;
  const finishedAt = new Date(0);
  await panel.sendReport(REPORT, { ...WITHIN, timeoutMs: 1_234 });
  await panel.sendBasicInfo(INFO, never);
  const result = toWireProbeResult({ taskId: 1, kind: "tcp", valueMs: 5, finishedAt });
  await panel.sendProbeResult(result, never);
  const command = toWireCommandResult({ taskId: "c", output: "", exitCode: 0, finishedAt });
  await panel.sendCommandResult(command, never);
  assertEquals(await panel.fetchTasks(never), { tasks: [], skipped: [] });
  assertEquals(timeouts, [
    ["send report (POST /api/clients/report)", 1_234],
    ["send basic info (POST /api/clients/uploadBasicInfo)", 20_000],
    ["send probe result (POST /api/clients/ping/result)", 10_000],
    ["send command result (POST /api/clients/task/result)", 30_000],
    ["fetch probe tasks (GET /api/clients/ping/tasks)", 10_000],
  ]);
  const query = `?token=${encodeURIComponent(TOKEN)}`;
  assertEquals(seen, [
    `POST /base/api/clients/report${query} ${JSON.stringify(REPORT)}`,
    `POST /base/api/clients/uploadBasicInfo${query} ${JSON.stringify(INFO)}`,
    `POST /base/api/clients/ping/result${query} ` +
    '{"task_id":1,"value":5,"ping_type":"tcp","finished_at":"1970-01-01T00:00:00.000Z"}',
    `POST /base/api/clients/task/result${query} ` +
    '{"task_id":"c","result":" ","exit_code":0,"finished_at":"1970-01-01T00:00:00.000Z"}',
    `GET /base/api/clients/ping/tasks${query} `,
  ]);
  assertEquals(headers.length, 5);
  for (const header of headers) {
    assertEquals(header.get("origin"), null);
    assertEquals(header.get("user-agent"), "komari-agent-deno/0");
  }
  assertEquals(headers[0]?.get("content-encoding"), null);
  const kinds = headers.map((header) => [header.get("accept"), header.get("content-type")]);
  const [post, get] = [["application/json", "application/json"], ["application/json", null]];
  assertEquals(kinds, [post, post, post, post, get]);
});

Deno.test("ClientV1 throws the kind of error that an answer means", async () => {
  const html = { headers: { "content-type": "text/html" } };
  const cases: [() => Response, PanelFailure, string][] = [
    [() => Response.json({ error: "bad row" }, { status: 500 }), "rejected", '"bad row"'],
    [() => Response.json({ error: {}, status: "error" }, { status: 500 }), "rejected", "500"],
    [() => new Response("", { status: 500 }), "rejected", "500"],
    [() => new Response("no", { status: 400 }), "rejected", "400"],
    [() => new Response("", { status: 501 }), "unsupported protocol", "status 501"],
    [() => new Response("<html>bad gateway", { ...html, status: 502 }), "unavailable", "HTML"],
    [
      () => Response.json({ message: "Not found in install mode" }, { status: 404 }),
      "unavailable",
      "install mode",
    ],
    [() => new Response("<html>login", html), "unsupported protocol", "HTML"],
    [() => new Response("404 page not found", { status: 404 }), "unsupported protocol", "404"],
    [() => new Response("", { status: 405 }), "unsupported protocol", "405"],
    [() => new Response("{}"), "unreadable", "no panel's"],
    [() => new Response("", { status: 200 }), "unreadable", "no panel's"],
    [() => new Response("", { status: 302 }), "redirected", "redirected to"],
  ];
  for (const [answer, failure, words] of cases) {
    const error = await failureOf(answer);
    assertEquals(error.failure, failure, error.message);
    if (failure !== "unreadable") assertEquals(error.status, answer().status, error.message);
    assertStringIncludes(error.message, words);
    assertStringIncludes(error.message, "Cannot send report (POST /api/clients/report): ");
  }
});

Deno.test("ClientV1.fetchTasks() takes a list of up to 1 MiB", async () => {
  let lengthBytes = 1024 * 1024;
  await using it = served(() => new Response("[]".padEnd(lengthBytes)));
  assertEquals((await it.panel.fetchTasks(never)).tasks, []);
  lengthBytes++;
  await assertRejects(() => it.panel.fetchTasks(never), PanelError, "longer than");
});

Deno.test("ClientV1.fetchTasks() throws when the answer is not a list", async () => {
  await using it = served(() => new Response("{broken"));
  const error = await assertRejects(() => it.panel.fetchTasks(never), PanelError);
  assertEquals(error.failure, "unreadable");
});
