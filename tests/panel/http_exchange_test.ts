import { assert, assertEquals, assertRejects } from "@std/assert";
import { DialError, ResponseError } from "../../lib/net/errors.ts";
import type { HttpRequest, HttpResponse } from "../../lib/net/http_client.ts";
import {
  connectionError,
  createPanelFetch,
  type PanelCall,
  type PanelFetch,
  provesToken,
  statusError,
  toRetryAfterMs,
} from "../../lib/panel/http_exchange.ts";
import { cases, same } from "../cases.ts";
import { answer as answerOf } from "./answers.ts";
import { MessageLimit } from "../../lib/panel/message_limit.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { timed } from "../fake_time.ts";

const CALL: PanelCall = {
  ...{ name: "ask (GET /x)", path: "/x", method: "GET", timeoutMs: 5_000 },
  headers: [["accept", "application/json"]],
};

const never = new AbortController().signal;

/** A function that makes calls by a client whose requests end as `request` says. */
function fetchBy(
  request: (request: HttpRequest, signal: AbortSignal) => Promise<HttpResponse>,
): PanelFetch {
  return createPanelFetch({ endpoint: "http://panel", token: "s3cret" }, {
    client: { request: (call, { signal }) => request(call, signal) },
    headers: [["user-agent", "agent/0"]],
    limit: new MessageLimit(),
  });
}

/** One whose answer never comes. */
const mute = fetchBy((_, signal) =>
  new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true })
  )
);

Deno.test("createPanelFetch() sends the common headers and those of the call, and gives any answer", async () => {
  const seen: HttpRequest[] = [];
  const moved = answerOf(302, "moved", { location: "/login", "retry-after": "5" });
  const exchange = fetchBy((request) => (seen.push(request), Promise.resolve(moved)));
  assertEquals(await exchange(CALL, new AbortController().signal), moved);
  assertEquals(seen, [{
    url: "http://panel/x?token=s3cret",
    method: "GET",
    headers: [["user-agent", "agent/0"], ["accept", "application/json"]],
  }]);
});

timed.test("createPanelFetch() ends with a time-out when no answer comes, or the signal's reason, and leaves nothing open", async (time) => {
  const failing = assertRejects(() => mute(CALL, never), PanelError);
  await time.run(4_999);
  assertEquals(time.timers, 1);
  await time.run(1);
  const { failure, message } = await failing;
  assertEquals([failure, message], ["timeout", "Cannot ask (GET /x): no answer within 5 s"]);
  const stop = new AbortController();
  const asking = mute(CALL, stop.signal);
  stop.abort(new Error("told to stop"));
  for (const asked of [() => asking, () => mute(CALL, stop.signal)]) {
    await assertRejects(asked, Error, "told to stop");
  }
  assertEquals(time.timers, 0);
});

timed.test("createPanelFetch() slows down a panel whose answers are long, and no other", async (time) => {
  let text = "x".repeat(4000);
  const exchange = fetchBy(() => Promise.resolve(answerOf(200, text)));
  const stop = new AbortController();
  const ask = async (count: number) => {
    while (count-- > 0) await exchange(CALL, stop.signal);
  };
  await ask(3000);
  text = "x".repeat(255 * 1024);
  // 1000 messages at once, and 21 for each of these.
  await ask(47);
  assertEquals(time.timers, 0);
  const tookMs = await time.until(ask(1), { withinMs: 2_000, stepMs: 100 });
  assert(tookMs > 1_000, `${tookMs}`);
  await ask(1);
  const waiting = ask(9);
  stop.abort(new Error("told to stop"));
  await assertRejects(() => waiting, Error, "told to stop");
  assertEquals(time.timers, 0);
});

Deno.test("createPanelFetch() names the cause of a failed connection, without the URL", async () => {
  const cause = new TypeError("cannot read http://panel/x?token=s3cret");
  const failing = fetchBy(() => Promise.reject(cause));
  const error = await assertRejects(() => failing(CALL, never), PanelError);
  assertEquals([error.failure, Deno.inspect(error).includes("s3cret")], ["unreachable", false]);
});

Deno.test("connectionError() distinguishes malformed and missing answers", () => {
  const response = (kind: ResponseError["kind"]) => new ResponseError("why", { kind });
  same((cause: Error) => {
    const { failure, message } = connectionError("ask", cause);
    assertEquals(message, "Cannot ask: why");
    return failure;
  }, [
    [response("closed"), "unreachable"],
    [response("timeout"), "timeout"],
    [response("malformed"), "unreadable"],
    [response("too long"), "unreadable"],
    [new DialError("why", { stage: "lookup" }), "unreachable"],
    [new Error("why"), "unreachable"],
  ]);
});

/** Targets of redirects, and how they are named. */
const REDIRECTS = cases(`
https://user:s3cret@sso.example/login?next=s3cret → https://sso.example/login
/login?next=s3cret#s3cret → /login
//sso.example/ → http://sso.example/
https://panel/api/clients/v2/rpc?token=s3cret → https://panel/api/clients/v2/rpc
none → /
http://[ → an unreadable address
/${"x".repeat(200)} → /${"x".repeat(198)}…
`);

Deno.test("statusError() names the target of a redirect, without query and password", () => {
  same((location) => {
    const headers = { location: location === "none" ? undefined : location };
    const { failure, status, message } = statusError("ask", answerOf(302, "", headers));
    assertEquals([failure, status], ["redirected", 302]);
    return message.slice("Cannot ask: redirected to ".length);
  }, REDIRECTS);
});

timed.test("toRetryAfterMs() reads seconds and dates, up to five minutes", () => {
  const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toUTCString();
  same(toRetryAfterMs, [
    ...[["0", 0], ["7", 7_000], ["300", 300_000], ["301", 300_000], ["999999999", 300_000]],
    ...[[inSeconds(20), 20_000], [inSeconds(-20), 0], [inSeconds(86_400), 300_000]],
    ...["99999999999", "-1", "soon", "", undefined].map((text) => [text, undefined]),
  ] as [string | undefined, unknown][]);
});

Deno.test("statusError() keeps how long no other call is wanted, of a 429 alone", () => {
  const retryAfterMs = (status: number, retryAfter?: string) =>
    statusError("ask", answerOf(status, "", { "retry-after": retryAfter })).retryAfterMs;
  assertEquals([retryAfterMs(429, "7"), retryAfterMs(429)], [7_000, undefined]);
  const others = [302, 400, 401, 500, 503].map((status) => retryAfterMs(status, "7"));
  assertEquals(others, Array(5).fill(undefined));
});

/** Answers, some of which ask for a password, and what is said of them. */
const STATUSES = cases(`
299 → unavailable, status 299
300 → redirected, redirected to /
399 → redirected, redirected to /
400 → rejected, status 400
401 → unauthorized, the panel does not know this token
401 {"status":"error"} → unauthorized, the panel does not know this token
401 <title>401 Required</title> → unavailable, status 401 and a page of HTML, "401 Required"
401 asks Required → unavailable, status 401, "Required"
403 → unavailable, status 403
404 404 page not found → unavailable, status 404, "404 page not found"
404 {"message":"install mode"} → unavailable, status 404, "install mode"
407 → unavailable, status 407
500 → rejected, status 500
500 {"error":"code 7","message":"no space"} → rejected, status 500, "no space"
500 {"error":"code 7","message":7} → rejected, status 500, "code 7"
500 {"message":"${"x".repeat(201)}"} → rejected, status 500, "${"x".repeat(199)}…"
501 → unavailable, status 501
503 → unavailable, status 503
`);

Deno.test("statusError() names the kind of failure, and what is said of it", () => {
  same((row) => {
    const [, status, header, text = ""] = /^(\d+)( asks)? ?(.*)$/s.exec(row) ?? [];
    const headers = header === undefined ? {} : { "www-authenticate": "Basic" };
    const { failure, message } = statusError("ask", answerOf(Number(status), text, headers));
    return `${failure}, ${message.slice("Cannot ask: ".length)}`;
  }, STATUSES);
});

Deno.test("provesToken() believes an answer of the panel only", () => {
  const statuses = [101, 200, 201, 204, 302, 400, 401, 403, 404, 500];
  const json = statuses.filter((status) => provesToken({ status, text: "{}" }));
  assertEquals(json, [200, 400]);
  const html = statuses.filter((status) => provesToken({ status, text: "<html>" }));
  assertEquals(html, []);
});
