import { assert, assertEquals, assertMatch } from "@std/assert";
import { type CompletedCheck, runChecks } from "../../lib/cli/checks.ts";
import { panelChecks } from "../../lib/cli/doctor_panel.ts";
import { checkTls } from "../../lib/cli/doctor_tls.ts";
import { NetDialer } from "../../lib/net/dialer.ts";
import { FakeTime } from "../fake_time.ts";
import { configOf } from "./fake_context.ts";

const TOKEN = "t0ken-of-this-node";
const UNKNOWN_METHOD = { jsonrpc: "2.0", id: 1, error: { code: -32601, message: "not found" } };

/** The checks of a panel that answers so, by their ids. */
async function checked(
  handler: (request: Request) => Response | Promise<Response>,
  args: readonly string[] = [],
): Promise<Record<string, CompletedCheck>> {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, handler);
  try {
    const url = `http://127.0.0.1:${server.addr.port}`;
    return await checksOf(["-e", url, "-t", TOKEN, ...args]);
  } finally {
    await server.shutdown();
  }
}

async function checksOf(args: readonly string[]): Promise<Record<string, CompletedCheck>> {
  const { signal } = new AbortController();
  const checks = panelChecks(configOf(["doctor", ...args]));
  const completed = await Array.fromAsync(runChecks(checks, { signal, secrets: [] }));
  return Object.fromEntries(completed.map((it) => [it.id, it]));
}

Deno.test("panelChecks() warn of a clock that is off by more than 30 s", async () => {
  const second = Date.UTC(2024, 1, 29, 12);
  const table: [offMs: number, status: string, text: string][] = [
    [1_499, "ok", "the same as the panel's"],
    [1_500, "ok", "2 s behind the panel's"],
    [-1_499, "ok", "the same as the panel's"],
    [-4_000, "ok", "4 s ahead of the panel's"],
    [30_000, "ok", "30 s behind the panel's"],
    [-30_000, "ok", "30 s ahead of the panel's"],
    [30_001, "warning", "30 s behind the panel's"],
    [-30_001, "warning", "30 s ahead of the panel's"],
  ];
  for (const [offMs, status, text] of table) {
    using _ = new FakeTime({ now: second - offMs });
    const date = new Date(second).toUTCString();
    const { clock } = await checked(() => Response.json(UNKNOWN_METHOD, { headers: { date } }));
    assertEquals([clock?.status, clock?.text], [status, text]);
    assertEquals(clock?.advice === undefined, status === "ok");
  }
});

Deno.test("panelChecks() warn of a round trip of more than a second", async () => {
  for (const [ms, status] of [[5.25, "ok"], [1_000, "ok"], [1_001, "warning"]] as const) {
    using time = new FakeTime({ now: Date.now() });
    let calls = 0;
    const { round_trip } = await checked(({ method }) => {
      // The first one finds the panel.
      if (method === "POST" && ++calls === 2) time.tick(ms);
      return Response.json(UNKNOWN_METHOD);
    });
    const shown = ms < 10 ? "5.3 ms" : `${ms} ms`;
    assertEquals([calls, round_trip?.status, round_trip?.text], [2, status, shown]);
  }
});

Deno.test("panelChecks() name the panel's version, bounded, and go on without one", async () => {
  const table: [version: unknown, text: string][] = [
    ["1.2.3", "Komari 1.2.3, protocol version 2"],
    ["x".repeat(50), `Komari ${"x".repeat(39)}…, protocol version 2`],
    [7, "Komari, protocol version 2"],
  ];
  for (const [version, text] of table) {
    const { panel } = await checked(({ url, method }) => {
      if (method === "POST") return Response.json(UNKNOWN_METHOD, { status: 400 });
      return url.endsWith("/api/version")
        ? Response.json({ data: { version } })
        : new Response("", { status: 404 });
    });
    assertEquals([panel?.status, panel?.text], ["ok", text]);
  }
  const { panel } = await checked(({ method }) =>
    method === "POST"
      ? Response.json(UNKNOWN_METHOD)
      : Response.json({ data: { version: "1" } }, { status: 500 })
  );
  assertEquals(panel?.text, "Komari, protocol version 2");
});

Deno.test("panelChecks() ask for no WebSocket that is not used", async () => {
  const upgrades: string[] = [];
  const handler = ({ headers }: Request) => {
    const wanted = headers.get("upgrade");
    if (wanted !== null) upgrades.push(`${wanted} ${headers.get("sec-websocket-version")}`);
    return Response.json(UNKNOWN_METHOD, { headers: { "sec-websocket-version": "13" } });
  };
  const { websocket } = await checked(handler, ["--transport", "http"]);
  assertEquals([websocket?.status, websocket?.text], ["skipped", "not used: --transport http"]);
  assertEquals(upgrades, []);
  const used = await checked(handler);
  assertEquals(used.websocket?.status, "ok");
  assertEquals(upgrades, ["websocket 12"], "a version that no server speaks");
});

Deno.test("panelChecks() send the headers of the configuration, and the token to the panel alone", async () => {
  const seen: [path: string, header: string | null, hasToken: boolean][] = [];
  await checked(({ url, headers }) => {
    seen.push([new URL(url).pathname, headers.get("x-gate"), url.includes(TOKEN)]);
    return Response.json(UNKNOWN_METHOD);
  }, ["--header", "X-Gate: open"]);
  assertEquals(seen.find(([path]) => path === "/api/version"), ["/api/version", "open", false]);
  assertEquals(seen[0], ["/api/clients/v2/rpc", "open", true]);
});

Deno.test("panelChecks() take a panel of version 1 by its list of probes", async () => {
  const table: [body: string, status: number, panel: string, token: string][] = [
    ["[]", 200, "ok", "ok"],
    [" null", 200, "ok", "ok"],
    ['{"status":"error"}', 401, "ok", "failed"],
    ["{}", 200, "failed", "skipped"],
    ["[]", 404, "failed", "skipped"],
  ];
  for (const post of [404, 405, 200]) {
    for (const [body, status, panel, token] of table) {
      const checks = await checked(({ method, url }) => {
        if (method === "POST") return new Response("<!DOCTYPE html><html>", { status: post });
        return url.includes("/api/clients/ping/tasks")
          ? new Response(body, { status })
          : new Response("", { status: 404 });
      });
      assertEquals([checks.panel?.status, checks.token?.status], [panel, token], `${post} ${body}`);
      if (panel === "ok") assertEquals(checks.panel?.text, "Komari, protocol version 1");
    }
  }
});

Deno.test("panelChecks() say that no token is configured, and what an address resolves to", async () => {
  const { token, dns, connect } = await checked(() => Response.json(UNKNOWN_METHOD), []);
  assertEquals([token?.status, token?.text], ["ok", "accepted"]);
  assertEquals([dns?.status, dns?.text], ["ok", "127.0.0.1 is an address"]);
  assertMatch(connect?.text ?? "", /^connected to 127\.0\.0\.1 port \d+$/);
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => Response.json(UNKNOWN_METHOD),
  );
  try {
    const without = await checksOf(["-e", `http://localhost:${server.addr.port}`]);
    assertEquals([without.token?.status, without.token?.text], [
      "failed",
      "no token is configured",
    ]);
    assertEquals(without.websocket?.status, "skipped");
    assertMatch(without.dns?.text ?? "", /^localhost is .*127\.0\.0\.1.*, by \/etc\/hosts$/);
  } finally {
    await server.shutdown();
  }
});

Deno.test("panelChecks() name the proxy that they go through", async () => {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => Response.json(UNKNOWN_METHOD),
  );
  const env = { HTTP_PROXY: `http://127.0.0.1:${server.addr.port}` };
  const { signal } = new AbortController();
  try {
    const checks = panelChecks(configOf(["doctor", "-e", "http://p.example", "-t", TOKEN], env));
    const [, connect, , panel] = await Array.fromAsync(runChecks(checks, { signal, secrets: [] }));
    assertMatch(connect?.text ?? "", /^connected through the proxy 127\.0\.0\.1 port \d+$/);
    assertEquals(panel?.status, "ok");
  } finally {
    await server.shutdown();
  }
});

Deno.test("panelChecks() wait 10 s for an answer, and for none that follows", async () => {
  const silent = Promise.withResolvers<Response>();
  const options = { port: 0, hostname: "127.0.0.1", onListen() {} };
  const server = Deno.serve(options, () => silent.promise);
  using time = new FakeTime({ now: Date.now() });
  try {
    const checking = checksOf(["-e", `http://127.0.0.1:${server.addr.port}`, "-t", TOKEN]);
    const tookMs = await time.until(checking, { withinMs: 60_000, stepMs: 100 });
    const { panel, websocket } = await checking;
    assertEquals([panel?.status, websocket?.status], ["failed", "skipped"]);
    assertMatch(panel?.text ?? "", /no answer within 10 s$/);
    assert(tookMs >= 10_000, `it took ${tookMs} ms`);
  } finally {
    silent.resolve(new Response());
    await server.shutdown();
  }
});

Deno.test("panelChecks() wait 10 s for a certificate, and 10 s for TLS", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const connections: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) connections.push(connection);
  })();
  using time = new FakeTime({ now: Date.now() });
  try {
    const checking = checksOf(["-e", `https://127.0.0.1:${listener.addr.port}`, "-t", TOKEN]);
    const tookMs = await time.until(checking, { withinMs: 60_000, stepMs: 100 });
    const { tls } = await checking;
    assertEquals([tls?.status, tookMs >= 20_000], ["failed", true]);
    assertMatch(tls?.text ?? "", /no answer within 10 s/);
    assertMatch(tls?.advice ?? "", /try a smaller MTU/);
  } finally {
    listener.close();
    await accepting;
    for (const connection of connections) connection.close();
  }
});

Deno.test("panelChecks() take no check for failed that was aborted", async () => {
  const enough = new Error("enough");
  const closed = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = closed.addr;
  closed.close();
  for (const scheme of ["http", "https"]) {
    const config = configOf(["doctor", "-e", `${scheme}://localhost:${port}`, "-t", TOKEN]);
    const [dns, connect] = panelChecks(config);
    const signal = AbortSignal.abort(enough);
    assertEquals(await rejection(dns?.run(signal)), enough);
    assertEquals(await rejection(connect?.run(signal)), enough);
  }
  const url = new URL(`https://127.0.0.1:${port}`);
  const options = { dialer: new NetDialer(), anyCertificate: false };
  const tls = checkTls({ url, proxy: undefined }, {
    ...options,
    signal: AbortSignal.abort(enough),
  });
  assertEquals(await rejection(tls), enough);
});

Deno.test("panelChecks() take no call for failed that was aborted", async () => {
  for (const aborting of ["panel", "websocket"]) {
    const enough = new AbortController();
    let current = "";
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => {
      if (current === aborting) enough.abort(new Error("enough"));
      return Response.json(UNKNOWN_METHOD);
    });
    const url = `http://127.0.0.1:${server.addr.port}`;
    try {
      for (const { id, run } of panelChecks(configOf(["doctor", "-e", url, "-t", TOKEN]))) {
        current = id;
        const found = await rejection(run(enough.signal));
        assertEquals(found, id === aborting ? enough.signal.reason : undefined, id);
        if (id === aborting) break;
      }
    } finally {
      await server.shutdown();
    }
  }
});

/** Why a check was not completed; `undefined` if it was. */
async function rejection(running: unknown): Promise<unknown> {
  try {
    await running;
    return undefined;
  } catch (error) {
    return error;
  }
}
