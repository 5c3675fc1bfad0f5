import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type CompletedCheck, failed, result, runChain } from "../../lib/cli/checks.ts";
import { panelChain, withDoubts } from "../../lib/cli/doctor_panel.ts";
import { tokenResult } from "../../lib/cli/doctor_token.ts";
import { wayTo } from "../../lib/cli/doctor_way.ts";
import { USER_AGENT } from "../../lib/version.ts";
import { TestNameServer } from "../net/fake_name_server.ts";
import { FakeTime } from "../fake_time.ts";
import { makeCertificate } from "../net/test_authority.ts";
import type { FaultName } from "../test_panel/faults.ts";
import { configOf } from "./fake_context.ts";
import { serving, TOKEN, withPanel } from "./panel_to_check.ts";
import { adviceText } from "./advice_text.ts";
import { CLOSED_PORT } from "../free_port.ts";
import { onlyIf } from "../only_on.ts";
import { restoring } from "../restoring.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";

const certificate = await makeCertificate();
const HERE = { port: 0, hostname: "127.0.0.1", onListen() {} };
const UNKNOWN_METHOD = { jsonrpc: "2.0", id: 1, error: { code: -32601, message: "not found" } };
const VERSION_123 = { status: "success", data: { version: "1.2.3" } };

/** An answer that is a page with this title. */
function page(title: string, status: number, headers: HeadersInit = {}): Response {
  return new Response(`<title>${title}</title>`, { status, headers });
}

/** The checks of a panel that answers so, by their ids. */
async function checked(
  handler: (request: Request) => Response | Promise<Response>,
  args: readonly string[] = [],
): Promise<Record<string, CompletedCheck>> {
  await using server = Deno.serve(HERE, handler);
  return await checksOf(["-e", `http://127.0.0.1:${server.addr.port}`, "-t", TOKEN, ...args]);
}

/** The machine may have a panel of its own. */
async function checksOf(
  args: readonly string[],
  env: Record<string, string> = {},
  usualPorts: readonly number[] = [],
): Promise<Record<string, CompletedCheck>> {
  const { signal } = new AbortController();
  const config = configOf(["doctor", ...args], env);
  const options = { signal, secrets: config.secrets };
  const completed = await Array.fromAsync(runChain(panelChain(config, { usualPorts }), options));
  return Object.fromEntries(completed.map((it) => [it.id, it]));
}

Deno.test("panelChain() warn of a clock that is off by more than 30 s", async () => {
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
    assertEquals(adviceText(clock) === "", status === "ok");
  }
});

Deno.test("panelChain() warn of a round trip of more than a second", async () => {
  for (const [ms, status] of [[5.25, "ok"], [1_000, "ok"], [1_001, "warning"]] as const) {
    using time = new FakeTime({ now: Date.now() });
    let calls = 0;
    const { round_trip } = await checked(({ method }) => {
      // The first one finds the panel.
      if (method === "POST" && ++calls === 2) time.tick(ms);
      return Response.json(UNKNOWN_METHOD);
    });
    const shown = ms < 10 ? "5.3 ms" : `${ms} ms`;
    assertEquals([calls, round_trip?.status, round_trip?.text], [3, status, shown]);
  }
});

Deno.test("panelChain() name the panel's version, bounded, and go on without one", async () => {
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

Deno.test("panelChain() ask for no WebSocket that is not used", async () => {
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

Deno.test("panelChain() send the headers of the configuration, and the token to the panel alone", async () => {
  const seen: [path: string, header: string | null, hasToken: boolean][] = [];
  await checked(({ url, headers }) => {
    seen.push([new URL(url).pathname, headers.get("x-gate"), url.includes(TOKEN)]);
    return Response.json(UNKNOWN_METHOD);
  }, ["--header", "X-Gate: open"]);
  assertEquals(seen.find(([path]) => path === "/api/version"), ["/api/version", "open", false]);
  assertEquals(seen[0], ["/api/clients/v2/rpc", "open", true]);
  const tokens: [path: string, isInUrl: boolean, header: string | null][] = [];
  await checked(({ url, headers }) => {
    assertEquals(headers.get("user-agent"), USER_AGENT);
    tokens.push([new URL(url).pathname, url.includes(TOKEN), headers.get("authorization")]);
    return Response.json(UNKNOWN_METHOD);
  }, ["--token-in", "header"]);
  assertEquals(tokens.length, 5);
  for (const [path, isInUrl, header] of tokens) {
    const isAuthenticated = path === "/api/clients/v2/rpc";
    assertEquals([isInUrl, header], [false, isAuthenticated ? `Bearer ${TOKEN}` : null], path);
  }
});

Deno.test("panelChain() take a panel of version 1 by its list of probes", async () => {
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

Deno.test("panelChain() say that no token is configured, and what an address resolves to", async () => {
  const { token, dns, connect } = await checked(() => Response.json(UNKNOWN_METHOD), []);
  assertEquals([token?.status, token?.text], ["ok", "accepted"]);
  assertEquals([dns?.status, dns?.text], ["ok", "127.0.0.1 is an address"]);
  assertMatch(connect?.text ?? "", /^connected to 127\.0\.0\.1 port \d+$/);
  await using server = Deno.serve(HERE, () => Response.json(UNKNOWN_METHOD));
  const without = await checksOf(["-e", `http://localhost:${server.addr.port}`]);
  const { status, text } = without.token ?? {};
  assertEquals([status, text], ["failed", "no token is configured"]);
  assertEquals(without.websocket?.status, "skipped");
  const inHosts = /^localhost is .*127\.0\.0\.1.*, found in line \d+ of \/etc\/hosts$/;
  assertMatch(without.dns?.text ?? "", inHosts);
});

Deno.test("panelChain() name the proxy that they go through", async () => {
  await using server = Deno.serve(HERE, () => Response.json(UNKNOWN_METHOD));
  const env = { HTTP_PROXY: `http://127.0.0.1:${server.addr.port}` };
  const { connect, panel } = await checksOf(["-e", "http://p.example", "-t", TOKEN], env);
  assertMatch(connect?.text ?? "", /^connected through the proxy 127\.0\.0\.1 port \d+$/);
  assertEquals(panel?.status, "ok");
});

Deno.test("panelChain() wait 5 s for an answer, and for none that follows", async () => {
  const { checks, tookMs } = await checkedInTime(() => "never");
  assertEquals([checks.panel?.status, checks.websocket?.status], ["failed", "skipped"]);
  assertMatch(checks.panel?.text ?? "", /no answer within 5 s, once connected$/);
  assert(tookMs >= 5_000, `it took ${tookMs} ms`);
});

Deno.test("panelChain() have advice also where each call is answered late, and all of them too late", async () => {
  let count = 0;
  const { checks: { panel } } = await checkedInTime(() => count++ === 0 ? 4_000 : "never");
  assertMatch(panel?.text ?? "", /no answer within 7 s, once connected$/);
  assertStringIncludes(panel?.causes?.[0] ?? "", "whether the panel hangs");
  assertStringIncludes(panel?.causes?.[0] ?? "", "it is slow rather than hung if");
  assertEquals(panel?.causes?.length, 2);
});

/** The checks of a panel that knows nothing, and answers each call after so many milliseconds. */
async function checkedInTime(
  answersAfter: () => number | "never",
): Promise<{ checks: Record<string, CompletedCheck>; tookMs: number }> {
  const end = new AbortController();
  await using server = Deno.serve(HERE, () => {
    const answer = Promise.withResolvers<Response>();
    const answering = () => answer.resolve(new Response("404 page not found", { status: 404 }));
    const ms = answersAfter();
    if (ms !== "never") setTimeout(answering, ms);
    end.signal.addEventListener("abort", answering);
    return answer.promise;
  });
  using time = new FakeTime({ now: Date.now() });
  const checking = checksOf(["-e", `http://127.0.0.1:${server.addr.port}`, "-t", TOKEN]);
  const tookMs = await time.until(checking, { withinMs: 60_000, stepMs: 100 });
  end.abort();
  return { checks: await checking, tookMs };
}

Deno.test("panelChain() wait 5 s for TLS", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const connections = Array.fromAsync(listener);
  using time = new FakeTime({ now: Date.now() });
  const checking = checksOf(["-e", `https://127.0.0.1:${listener.addr.port}`, "-t", TOKEN]);
  const tookMs = await time.until(checking, { withinMs: 60_000, stepMs: 100 });
  const { tls } = await checking;
  listener.close();
  for (const connection of await connections) connection.close();
  assertEquals([tls?.status, tookMs >= 5_000], ["failed", true]);
  assertMatch(tls?.text ?? "", /no answer within 5 s/);
  // Its pings end in real time, and may do so too late for some of them.
  assertMatch(adviceText(tls), / mtu 1\d{3}/);
});

Deno.test("panelChain() take no check for failed that was aborted", async () => {
  const enough = new Error("enough");
  const port = CLOSED_PORT;
  for (const scheme of ["http", "https"]) {
    const config = configOf(["doctor", "-e", `${scheme}://localhost:${port}`, "-t", TOKEN]);
    const signal = AbortSignal.abort(enough);
    for (const id of scheme === "https" ? ["dns", "connect", "tls"] : ["dns", "connect"]) {
      const link = panelChain(config).find((it) => it.id === id);
      assertEquals(await rejection(link?.run(signal)), enough);
    }
  }
});

Deno.test("panelChain() take no call for failed that was aborted", async () => {
  for (const aborting of ["panel", "websocket"]) {
    const enough = new AbortController();
    let current = "";
    await using server = Deno.serve(HERE, () => {
      if (current === aborting) enough.abort(new Error("enough"));
      return Response.json(UNKNOWN_METHOD);
    });
    const url = `http://127.0.0.1:${server.addr.port}`;
    for (const { id, run } of panelChain(configOf(["doctor", "-e", url, "-t", TOKEN]))) {
      current = id;
      const found = await rejection(run(enough.signal));
      assertEquals(found, id === aborting ? enough.signal.reason : undefined, id);
      if (id === aborting) break;
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

function statuses(checks: Record<string, CompletedCheck>): Record<string, string> {
  return Object.fromEntries(Object.values(checks).map(({ id, status }) => [id, status]));
}

for (const [generation, version, websocket] of [["1.1", 1, "skipped"], ["1.5", 2, "ok"]] as const) {
  Deno.test(`panelChain() find a panel of version ${version} in order, and never appear there`, async () => {
    await withPanel({ generation }, async (url, requireUnseen) => {
      const checks = await checksOf(["-e", url, "-t", TOKEN]);
      assertEquals(statuses(checks), {
        ...{ network: "ok", dns: "ok", connect: "ok", tls: "ok", panel: "ok", token: "ok" },
        ...{ websocket, clock: "ok", round_trip: "ok" },
      });
      assertStringIncludes(checks.panel?.text ?? "", `protocol version ${version}`);
      requireUnseen();
    });
  });
}

for (const generation of ["1.1", "1.4", "1.5", "main"] as const) {
  Deno.test(`panelChain() say that a panel ${generation} refuses the token`, async () => {
    await withPanel({ generation }, async (url) => {
      const { panel, token, websocket } = await checksOf(["-e", url, "-t", "another"]);
      assertEquals([panel?.status, token?.status, websocket?.status], ["ok", "failed", "skipped"]);
      assertStringIncludes(adviceText(token), "whether this node is still there");
    });
  });
}

Deno.test("panelChain() say why WebSockets are blocked", async () => {
  const faults: [FaultName, string][] = [
    ["upgrade-403", "status 403"],
    ["upgrade-502", "status 502"],
    ["upgrade-302", "login page"],
    ["upgrade-html", "HTML"],
  ];
  for (const [fault, words] of faults) {
    await withPanel({ fault }, async (url) => {
      const { panel, websocket } = await checksOf(["-e", url, "-t", TOKEN]);
      assertEquals([panel?.status, websocket?.status], ["ok", "warning"], fault);
      assertStringIncludes(websocket?.text ?? "", words);
    });
  }
});

Deno.test("panelChain() name a proxy that removes the Upgrade header", async () => {
  await using server = Deno.serve(HERE, ({ method }) => {
    const required = { error: "Require WebSocket upgrade", status: "error" };
    return Response.json(method === "POST" ? UNKNOWN_METHOD : required, { status: 400 });
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  const { websocket } = await checksOf(["-e", url, "-t", TOKEN]);
  assertEquals(websocket?.status, "warning");
  assertStringIncludes(websocket?.text ?? "", "the Upgrade header is removed");
  assertStringIncludes(adviceText(websocket), "nginx");
  const through = await checksOf(["-e", "http://p.example", "-t", TOKEN], { HTTP_PROXY: url });
  const words = "see whether the proxy of HTTP_PROXY/ALL_PROXY passes WebSockets, and leave it out";
  assertStringIncludes(through.websocket?.causes?.[0] ?? "", words);
});

Deno.test("panelChain() say what answers in place of a panel", async () => {
  const faults: [FaultName, string][] = [
    ["html-200", "not a Komari panel's"],
    ["502-html", "status 502"],
    ["302-login", "login page"],
    ["404-install", "this Komari panel is not set up yet (status 404"],
    ["reset", "connection"],
  ];
  for (const [fault, words] of faults) {
    await withPanel({ fault }, async (url) => {
      const checks = await checksOf(["-e", url, "-t", TOKEN]);
      assertEquals([checks.panel?.status, checks.token?.status], ["failed", "skipped"], fault);
      assertStringIncludes(checks.panel?.text ?? "", words, fault);
    });
  }
});

Deno.test("panelChain() say where the way to the panel ends", async () => {
  const unknown = await checksOf(["-e", "https://panel.invalid", "-t", TOKEN]);
  assertEquals(statuses(unknown), {
    network: "ok",
    ...{ dns: "failed", connect: "skipped", tls: "skipped", panel: "skipped", token: "skipped" },
    ...{ websocket: "skipped", clock: "skipped", round_trip: "skipped" },
  });
  const { connect } = await checksOf(["-e", `http://127.0.0.1:${CLOSED_PORT}`, "-t", TOKEN]);
  const refused = `Cannot connect to 127.0.0.1 port ${CLOSED_PORT}: connection refused`;
  assertEquals(connect?.text, refused);
  assertStringIncludes(adviceText(connect), "if the panel is on this machine, start it");
  const { signal } = new AbortController();
  const [none] = panelChain(configOf(["doctor"]));
  assertEquals((await none?.run(signal))?.status, "failed");
});

Deno.test("panelChain() tell a service's configuration that is gone from one for others", async () => {
  const { signal } = new AbortController();
  const table: [error: Error | undefined, status: string, text: string, advice: string][] = [
    [new Deno.errors.NotFound(), "failed", "not there: no such file", "put it back"],
    [new Deno.errors.PermissionDenied(), "warning", "not checked: this user", "run it as root"],
    [new Deno.errors.IsADirectory(), "failed", "can't be read", "ls -ld /etc/x/config.json"],
    [undefined, "failed", "no panel is configured", "give -e URL"],
  ];
  {
    using _config = restoring(Deno, "readTextFile");
    for (const [error, status, text, advice] of table) {
      Deno.readTextFile = () => error ? Promise.reject(error) : Promise.resolve("{}");
      const options = { unreadableConfig: "/etc/x/config.json" };
      const found = await panelChain(configOf(["doctor"]), options)[0]?.run(signal);
      assertEquals(found?.status, status);
      assertStringIncludes(found?.text ?? "", text);
      assertStringIncludes(found?.advice ?? "", advice);
    }
  }
  const ofService = { ...configOf(["doctor"]), isConfigInstalled: true, configPath: "/etc/x.json" };
  const named = await panelChain(ofService)[0]?.run(signal);
  assertEquals(named?.text, "/etc/x.json, of the installed service, names no panel");
  const unknownVariables = ["variable SERVER is not known; did you mean AGENT_ENDPOINT?"];
  const guessed = await panelChain({ ...configOf(["doctor"]), unknownVariables })[0]?.run(signal);
  assertEquals(guessed?.text, `no panel is configured; ${unknownVariables}`);
  assertStringIncludes(guessed?.advice ?? "", "AGENT_ENDPOINT and AGENT_TOKEN");
});

Deno.test("panelChain() accuse a name server of inventing addresses only where a link fails", async () => {
  const zone = new Proxy<Record<string, { A: string[] }>>({}, {
    get: () => ({ A: ["127.0.0.1"] }),
  });
  await using names = await TestNameServer.start(zone);
  const own = ["-t", TOKEN, "--custom-dns", `127.0.0.1:${names.port}`];
  await withPanel({}, async (url) => {
    const { port } = new URL(url);
    const { dns, panel } = await checksOf(["-e", `http://panel.test:${port}`, ...own]);
    assertEquals([dns?.status, panel?.status], ["ok", "ok"]);
    assertStringIncludes(dns?.text ?? "", "which it also gives for a name that does not exist");
  });
  const { connect } = await checksOf(["-e", "http://panel.test:1", ...own]);
  assertEquals(connect?.status, "failed");
  assertStringIncludes(connect?.causes?.[0] ?? "", "a captive portal");
});

Deno.test("panelChain() name quotes around a token, and leave a node that registers itself", async () => {
  await withPanel({}, async (url) => {
    const { token } = await checksOf(["-e", url, "-t", `"${TOKEN}"`]);
    const without = "write the token without them: flag --token";
    assertEquals([token?.status, token?.advice], ["failed", without]);
    const odd = await checksOf(["-e", url, "-t", `${TOKEN}\u200bx`]);
    assertStringIncludes(odd.token?.text ?? "", "it has the character U+200B, which no token has");
    const own = await checksOf(["-e", url, "--auto-discovery", "key-of-the-panel"]);
    assertEquals([own.token?.text, own.websocket?.text], [own.token?.text, own.token?.text]);
    assertStringIncludes(own.websocket?.text ?? "", "registers itself");
  });
});

const PLAIN_TO_HTTPS = "<title>400 The plain HTTP request was sent to HTTPS port</title>";

Deno.test("panelChain() say what to do about each answer that is no panel's", async () => {
  const table: [status: number, headers: Record<string, string>, body: string, advice: string][] = [
    [401, { "www-authenticate": "Basic" }, "{}", "the token is not the cause"],
    [401, {}, "<title>401 Authorization Required</title>", "the token is not the cause"],
    [400, {}, PLAIN_TO_HTTPS, "write https://127.0.0.1"],
    [400, {}, "Client sent an HTTP request to an HTTPS server.", "write https://127.0.0.1"],
    [413, {}, "<title>413 Request Entity Too Large</title>", "client_max_body_size"],
    [502, {}, "<title>502 Bad Gateway</title>", "gets no answer from the panel"],
    [503, {}, "Service Unavailable", "answers so by itself"],
    [504, {}, "", "gets no answer from the panel"],
    [403, {}, "<title>Attention Required!</title>", "let /api/clients/ pass"],
    [405, {}, "<title>405 Not Allowed</title>", "correct the address and its path"],
    [429, {}, "slow down", "limits requests"],
    [500, {}, '{"error":"database is locked"}', "read the panel's own log"],
    [
      301,
      { location: "https://u:pw@p.example/x/api/clients/y?t=1" },
      "",
      "write https://p.example/x",
    ],
    [308, { location: "/sub/api/clients/v2/rpc" }, "", "/sub"],
    [302, { location: "https://login.example/" }, "", "(a captive portal), and log in there: curl"],
    [301, { location: "/api/clients/v2/rpc" }, "", "rather than lead there"],
    [404, {}, '{"message":"Not found in install mode"}', "not set up yet"],
    [404, {}, "<title>Not Found</title><em>Faithfully yours, frp.</em>", "start frpc on"],
    [404, {}, "404 page not found", "the address and its path"],
    [200, {}, "<title>Welcome to nginx!</title>", "the address and its path"],
  ];
  for (const [status, headers, body, advice] of table) {
    const { panel, token } = await checked(() => new Response(body, { status, headers }));
    assertEquals([panel?.status, token?.status], ["failed", "skipped"], body);
    assertStringIncludes(adviceText(panel), advice);
    const [, title = ""] = /<title>(.*)<.title>/.exec(body) ?? [];
    assertStringIncludes(panel?.text ?? "", title);
  }
});

Deno.test("panelChain() say of a panel whose calls alone are refused that it is there", async () => {
  for (const status of [403, 404, 405]) {
    const { panel } = await checked(({ url }) =>
      url.endsWith("/api/version") ? Response.json(VERSION_123) : page("refused", status)
    );
    assertStringIncludes(
      panel?.text ?? "",
      `a Komari panel answers here (1.2.3), and its calls are refused: status ${status}`,
    );
    assertStringIncludes(panel?.advice ?? "", "let /api/clients/ pass", String(status));
  }
});

Deno.test("panelChain() show the page of another site, and not the refusal of their own call", async () => {
  const { panel } = await checked(({ method }) =>
    method === "POST" ? page("405 Not Allowed", 405, { server: "nginx" }) : page("A blog", 200)
  );
  assertMatch(
    panel?.text ?? "",
    /^GET http:\S+ answers status 200 and a page of HTML, "A blog", not a Komari panel's; an agent's call gets status 405$/,
  );
  assertEquals(panel?.causes?.map((line) => line.slice(0, 19)), [
    "correct the address",
    "give the panel's na",
    "if the panel is beh",
  ]);
});

Deno.test("panelChain() look where a redirect leads before they advise it", async () => {
  const answers: [answer: Response, text: RegExp, advice: string][] = [
    [Response.json(VERSION_123), /; a Komari panel answers at http:/, "write http://"],
    [page("A blog", 200), /; GET http:\S+ answers .*"A blog", not a Komari panel's$/, "correct"],
    [new Response("ok"), /; GET http:\S+ answers status 200, "ok", not a Komari/, "correct"],
    [new Response("", { status: 502 }), /; GET http:\S+ answers status 502, /, "then write http"],
  ];
  for (const [answer, text, advice] of answers) {
    await using there = Deno.serve(HERE, () => answer.clone());
    const location = `http://127.0.0.1:${there.addr.port}/api/clients/v2/rpc`;
    const { panel } = await checked(() =>
      new Response(null, { status: 301, headers: { location } })
    );
    assertMatch(panel?.text ?? "", text);
    assertStringIncludes(adviceText(panel), advice);
  }
});

Deno.test("panelChain() say why nothing answers where a redirect leads", async () => {
  const location = `http://127.0.0.1:${CLOSED_PORT}/api/clients/v2/rpc`;
  const { panel } = await checked(() => new Response(null, { status: 301, headers: { location } }));
  assertStringIncludes(panel?.text ?? "", "; there: Cannot connect to 127.0.0.1");
  assertStringIncludes(
    panel?.causes?.[1] ?? "",
    "repair that first, and then write http://127.0.0.1",
  );
});

Deno.test("panelChain() tell what was sent for a login from what was not", async () => {
  const wall = () => page("401", 401, { "www-authenticate": "Basic" });
  const of = async (...args: string[]) => adviceText((await checked(wall, args)).panel);
  assertStringIncludes(await of(), "send it with --header");
  assertStringIncludes(
    await of("--header", "Authorization: Basic eA=="),
    "which are refused there",
  );
  const location = "https://team.cloudflareaccess.com/login";
  const access = () => new Response(null, { status: 302, headers: { location } });
  const token = ["--cf-access-client-id", "a", "--cf-access-client-secret", "b"];
  const { panel } = await checked(access, token);
  assertStringIncludes(adviceText(panel), "the action Service Auth");
});

Deno.test("panelChain() say what speaks no HTTP, and what closes a connection without an answer", async () => {
  const of = async (greeting: string) => {
    await using server = serving(async (connection) => {
      await connection.write(new TextEncoder().encode(greeting));
      await connection.read(new Uint8Array(4096));
    });
    return (await checksOf(["-e", `http://${server.host}`, "-t", TOKEN])).panel;
  };
  const ssh = await of("SSH-2.0-OpenSSH_9.2p1\r\n");
  assertStringIncludes(ssh?.text ?? "", 'the answer is not HTTP: it begins with "SSH-2.0');
  assertEquals(ssh?.advice, "no web server listens there: correct the port in -e");
  const closed = await of("");
  assertStringIncludes(closed?.text ?? "", "the connection was closed without an answer");
  assertStringIncludes(adviceText(closed), "return 444 closes so");
});

Deno.test("panelChain() name a panel beside a port that closes connections", async () => {
  await using closing = serving(() => Promise.resolve());
  await using other = Deno.serve(HERE, () => Response.json(VERSION_123));
  const { port } = other.addr;
  const of = async (url: string) => {
    const { tls, panel } = await checksOf(["-e", url, "-t", TOKEN], {}, [port]);
    return tls?.status === "failed" ? tls : panel;
  };
  const plain = await of(`http://${closing.host}`);
  assertStringIncludes(plain?.text ?? "", `; a Komari panel answers at http://127.0.0.1:${port}`);
  assertEquals(plain?.causes?.[0], `write http://127.0.0.1:${port} into -e`);
  const secure = await of(`https://${closing.host}`);
  assertStringIncludes(secure?.causes?.at(-1) ?? "", `else write http://127.0.0.1:${port}`);
});

Deno.test("panelChain() name a rule that refuses this program by its name", async () => {
  for (const [refused, text] of [[USER_AGENT, "; as curl/"], ["", "by"]] as const) {
    const { panel } = await checked(({ headers }) =>
      headers.get("user-agent")?.startsWith(refused)
        ? page("403 Forbidden", 403, { server: "nginx" })
        : Response.json(UNKNOWN_METHOD)
    );
    assertStringIncludes(panel?.text ?? "", text);
    const advice = refused === "" ? "curl -v http" : `refuses the User-Agent ${USER_AGENT}`;
    assertStringIncludes(adviceText(panel), advice);
    assertEquals(panel?.text.includes("; as curl/"), refused !== "");
  }
});

Deno.test("panelChain() don't take a limit of calls for a proxy that passes no WebSockets", async () => {
  let status = 429;
  const limitAfter = (count: number) => {
    let calls = 0;
    return checked(({ method }) =>
      method === "POST" && ++calls <= count
        ? Response.json(UNKNOWN_METHOD)
        : page("Too many", status)
    );
  };
  const { websocket, round_trip } = await limitAfter(3);
  assertEquals([round_trip?.status, websocket?.status], ["ok", "warning"]);
  assertStringIncludes(websocket?.text ?? "", "the request for one was refused: status 429");
  assertStringIncludes(adviceText(websocket), "something there limits requests");
  // So nginx refuses by default.
  for (status of [429, 503]) {
    for (const count of [1, 2]) {
      const sooner = await limitAfter(count);
      const { text, kind } = sooner.round_trip ?? {};
      assertStringIncludes(text ?? "", `further calls are refused: status ${status}`);
      assertEquals(kind, "limited");
      assertStringIncludes(adviceText(sooner.round_trip), "something there limits requests");
    }
  }
});

/** What answers some calls as a panel, and what is said of that; `text` and `advice` in parts. */
const HALF_A_PANEL: Record<string, {
  answer: (request: Request) => Response | Promise<Response>;
  id: string;
  status: string;
  text: string;
  advice: string;
}> = {
  "that takes no POST, and not the page that answers GET": {
    answer: ({ method }) =>
      method === "POST" ? page("405 Not Allowed", 405) : page("Komari Monitor", 200),
    ...{ id: "panel", status: "failed", text: 'Monitor"; an agent', advice: "all paths" },
  },
  ...Object.fromEntries([403, 405, 501].map((post) => [`that gets no POST (${post})`, {
    answer: ({ method, headers }: Request) =>
      method === "POST"
        ? page("No", post)
        : headers.has("upgrade")
        ? new Response("", { status: 426, headers: { "sec-websocket-version": "13" } })
        : Response.json([]),
    ...{ id: "panel", status: "warning" },
    text: `version 2; calls by POST are refused on the way: status ${post}`,
    advice: "let POST to /api/clients/ pass",
  }])),
  "that takes no POST, whose page has its owner's name": {
    answer: ({ method }) =>
      method === "POST" ? page("No", 404) : page(
        'My servers</title><meta name="description" content="A simple server monitor tool.">',
        200,
      ),
    ...{
      id: "panel",
      status: "failed",
      text: "a Komari panel's page answers",
      advice: "proxy_pass",
    },
  },
  "that gets neither POST nor WebSockets": {
    answer: ({ method }) => method === "POST" ? page("No", 403) : Response.json([]),
    ...{ id: "panel", status: "failed", text: "status 403", advice: "" },
  },
  "that refuses WebSockets alone": {
    answer: ({ method }) => method === "POST" ? Response.json(UNKNOWN_METHOD) : page("No", 403),
    ...{ id: "websocket", status: "warning" },
    text: "the request for one was refused: status 403",
    advice: "let WebSockets to /api/clients/ pass there",
  },
  "behind Cloudflare's challenge": {
    answer: ({ url }) =>
      url.endsWith("/api/version")
        ? Response.json(VERSION_123)
        : page("Just a moment...", 403, { "cf-mitigated": "challenge", server: "cloudflare" }),
    ...{ id: "panel", status: "failed" },
    text: "Cloudflare asks this machine to prove that it is a browser",
    advice: "Bot Fight Mode off",
  },
  "behind another firewall's challenge": {
    answer: () => page("客户端安全检测", 468, { server: "SafeLine" }),
    ...{ id: "panel", status: "failed" },
    text: "a firewall in front of the panel (SafeLine) answers in its place: status 468",
    advice: "have the web firewall there let /api/clients/ pass",
  },
  "of which a firewall lets all but WebSockets pass": {
    answer: ({ method }) =>
      method === "POST" ? Response.json(UNKNOWN_METHOD) : page("安全验证", 405),
    ...{ id: "websocket", status: "warning" },
    text: "the request for one was refused: status 405",
    advice: "have the web firewall there let /api/clients/ pass",
  },
  "that refuses a large request where a small one is answered": {
    answer: async (request) =>
      (await request.text()).length > 1_000
        ? page("413 Request Entity Too Large", 413)
        : Response.json(UNKNOWN_METHOD),
    ...{ id: "round_trip", status: "failed", text: "one of 4000 bytes with status 413" },
    advice: "client_max_body_size",
  },
};

for (const [what, { answer, id, status, text, advice }] of Object.entries(HALF_A_PANEL)) {
  Deno.test(`panelChain() name a panel ${what}`, async () => {
    const found = (await checked(answer))[id];
    assertEquals(found?.status, status);
    assertStringIncludes(found?.text ?? "", text);
    assertStringIncludes(adviceText(found), advice);
  });
}

Deno.test("panelChain() name a panel whose path is not taken off on the way", async () => {
  await using server = Deno.serve(
    HERE,
    ({ url }) =>
      new URL(url).pathname.startsWith("/komari/") ? page("Komari Monitor", 200) : page("No", 404),
  );
  const { panel } = await checksOf([
    "-e",
    `http://127.0.0.1:${server.addr.port}/komari`,
    "-t",
    "x",
  ]);
  assertStringIncludes(panel?.text ?? "", "a Komari panel's page answers");
  assertStringIncludes(panel?.advice ?? "", "take /komari off what it passes on");
});

Deno.test("panelChain() say that a panel is at the root of a server only where one answers there", async () => {
  for (const body of [VERSION_123, {}]) {
    await using server = Deno.serve(
      HERE,
      ({ url }) =>
        new URL(url).pathname === "/api/version"
          ? Response.json(body)
          : new Response("404 page not found", { status: 404 }),
    );
    const url = `http://127.0.0.1:${server.addr.port}`;
    const { panel } = await checksOf(["-e", `${url}/komari`, "-t", TOKEN]);
    assertEquals(panel?.status, "failed");
    const root = `the panel is at the root of this server: write ${url} into -e`;
    assertEquals(panel?.advice === root, "data" in body, adviceText(panel));
  }
});

Deno.test("panelChain() find the panel at another port of the same host, which gets no secret header", async () => {
  const seen: (string | null)[] = [];
  let status = 404;
  await using other = Deno.serve(HERE, () => new Response("404 page not found", { status }));
  await using panel = Deno.serve(HERE, ({ headers }) => {
    seen.push(headers.get("x-secret"));
    return Response.json(VERSION_123);
  });
  const args = ["-e", `http://127.0.0.1:${other.addr.port}`, "-t", TOKEN];
  const { port } = panel.addr;
  const { panel: found } = await checksOf([...args, "--header", "X-Secret: s3cret"], {}, [port]);
  const there = `a Komari panel answers at another address: write http://127.0.0.1:${port} into -e`;
  assertEquals([found?.advice, seen], [there, [null]]);
  for (status of [302, 400, 403, 429, 502]) {
    const { panel: refused } = await checksOf(args, {}, [port]);
    assertEquals(adviceText(refused).includes("a Komari panel answers at"), false, `${status}`);
  }
  assertEquals(seen, [null], "a panel may be behind what refuses");
});

Deno.test("panelChain() name a proxy variable that is wrong, or whose proxy refuses", async () => {
  const table: [answer: string, advice: string][] = [
    ["HTTP/1.1 407 Proxy Authentication Required", "user and password into HTTPS_PROXY"],
    ["HTTP/1.1 403 Forbidden", "have the proxy allow panel.example"],
    ["HTTP/1.1 502 Bad Gateway", "does not reach panel.example"],
    ["HTTP/1.1 405 Not Allowed", "a web server rather than a proxy"],
    ["SSH-2.0-OpenSSH_9.2", "a web server rather than a proxy"],
  ];
  for (const [answer, advice] of table) {
    await using server = serving(async (connection) => {
      await connection.read(new Uint8Array(4096));
      await connection.write(new TextEncoder().encode(`${answer}\r\n\r\n`));
    });
    const env = { HTTPS_PROXY: `http://${server.host}` };
    const { connect, tls } = await checksOf(["-e", "https://panel.example", "-t", TOKEN], env);
    assertEquals([connect?.status, tls?.status], ["failed", "skipped"], answer);
    assertStringIncludes(adviceText(connect), advice);
  }
  const dead = { HTTP_PROXY: "http://127.0.0.1:1" };
  const { connect } = await checksOf(["-e", "http://panel.example", "-t", TOKEN], dead);
  assertStringIncludes(adviceText(connect), "correct HTTP_PROXY");
});

Deno.test("panelChain() tell https to a plain port from http to a port of TLS", async () => {
  await using server = Deno.serve(HERE, () => new Response("{}"));
  const { port } = server.addr;
  const { tls, panel } = await checksOf(["-e", `https://127.0.0.1:${port}`, "-t", TOKEN]);
  assertEquals([tls?.status, panel?.status], ["failed", "skipped"]);
  assertStringIncludes(tls?.text ?? "", "it speaks HTTP, and no Komari panel answers there");
  assertStringIncludes(adviceText(tls), `write http://127.0.0.1:${port} into -e`);
  await using ssh = serving(async (connection) => {
    await connection.write(new TextEncoder().encode("SSH-2.0-OpenSSH_9.2p1\r\n"));
    await connection.read(new Uint8Array(4096));
  });
  const { tls: ofSsh } = await checksOf(["-e", `https://${ssh.host}`, "-t", TOKEN]);
  assertEquals(ofSsh?.advice?.startsWith("correct the port in -e, if it is"), true, ofSsh?.advice);
});

/** A server with such a certificate, and the file of its authority. */
function tlsServer(
  { authority = "", certificate: cert = "", key = "" }: Partial<typeof certificate> = {},
  hostname = "127.0.0.1",
  status = 401,
) {
  const options = { port: 0, hostname, cert, key, onListen() {} };
  const server = Deno.serve(options, () => Response.json({ status: "error" }, { status }));
  const folder = new TempFolder();
  const authorityFile = `${folder.path}/ca.pem`;
  Deno.writeTextFileSync(authorityFile, authority);
  return {
    port: server.addr.port,
    authorityFile,
    async [Symbol.asyncDispose]() {
      await server.shutdown();
      folder[Symbol.dispose]();
    },
  };
}

const withCertificate = onlyIf(certificate !== undefined);

withCertificate.test("panelChain() show the names of a certificate that is for another name", async () => {
  await using server = tlsServer(certificate, "127.0.0.2");
  const args = ["-e", `https://127.0.0.2:${server.port}`, "-t", TOKEN];
  const { tls } = await checksOf([...args, "--ca-cert", server.authorityFile]);
  assertStringIncludes(tls?.text ?? "", "it is for another name");
  assertStringIncludes(tls?.text ?? "", "for localhost, panel.test");
  assertStringIncludes(adviceText(tls), "a certificate for 127.0.0.2");
});

Deno.test("panelChain() take any answer of JSON-RPC for a panel's, and name a login page", async () => {
  await withPanel({ fault: "rpc-32000" }, async (url) => {
    const { panel, token } = await checksOf(["-e", url, "-t", TOKEN]);
    assertEquals([panel?.status, token?.status], ["ok", "ok"]);
  });
  await withPanel({ fault: "upgrade-302" }, async (url) => {
    const { websocket } = await checksOf(["-e", url, "-t", TOKEN]);
    assertStringIncludes(websocket?.text ?? "", "redirected to /login");
  });
});

withCertificate.test("panelChain() show a certificate's issuer and days, trusted or not", async () => {
  await using server = tlsServer(certificate);
  const args = ["-e", `https://localhost:${server.port}`, "-t", TOKEN];
  const untrusted = await checksOf(args);
  assertEquals([untrusted.tls?.status, untrusted.panel?.status], ["failed", "skipped"]);
  assertStringIncludes(untrusted.tls?.text ?? "", "issued by test-authority");
  assertStringIncludes(untrusted.tls?.text ?? "", "Cannot trust the certificate");
  const trusted = await checksOf([...args, "--ca-cert", server.authorityFile]);
  assertEquals([trusted.tls?.status, trusted.panel?.status], ["warning", "ok"]);
  assertStringIncludes(trusted.tls?.text ?? "", "valid for 1 day more");
  const any = await checksOf([...args, "--ignore-unsafe-cert"]);
  assertEquals([any.tls?.status, any.panel?.status], ["warning", "ok"]);
  assertStringIncludes(any.tls?.text ?? "", "any certificate is trusted (TLSv1.3, issued by");
  assertStringIncludes(adviceText(any.tls), "--ca-cert FILE trusts only your own");
});

withCertificate.test("panelChain() have another server pass calls on to the panel beside it, before TLS is given up", async () => {
  await using server = tlsServer(certificate, "127.0.0.1", 404);
  await using panel = Deno.serve(HERE, () => Response.json(VERSION_123));
  const args = ["-e", `https://localhost:${server.port}`, "-t", TOKEN];
  const { panel: found } = await checksOf([...args, "--ignore-unsafe-cert"], {}, [panel.addr.port]);
  const there = `a Komari panel answers at http://localhost:${panel.addr.port}`;
  assertEquals(found?.text.endsWith(`; ${there}`), true, found?.text);
  assertStringIncludes(found?.causes?.[0] ?? "", "pass calls on to that: proxy_pass");
  assertStringIncludes(found?.causes?.at(-1) ?? "", "without TLS all on the way can read");
});

withCertificate.test("panelChain() warn of a certificate that ends within two weeks", async () => {
  for (const [days, expected] of [[14, "warning"], [15, "ok"]] as const) {
    await using server = tlsServer(await makeCertificate({ days }));
    const args = ["-e", `https://localhost:${server.port}`, "-t", TOKEN];
    const { tls } = await checksOf([...args, "--ca-cert", server.authorityFile]);
    assertEquals(tls?.status, expected, tls?.text);
    assertEquals(adviceText(tls).includes("renew"), expected === "warning");
  }
});

Deno.test("panelChain() name who has resolved the panel's name, or was asked in vain", async () => {
  await using server = await TestNameServer.start({
    "panel.test": { A: ["127.0.0.1", "127.0.0.2"] },
  });
  const own = ["--custom-dns", `127.0.0.1:${server.port}`];
  const { signal } = new AbortController();
  const resolved = async (args: readonly string[]) => {
    const chain = panelChain(configOf(["doctor", "-t", TOKEN, ...args]));
    return await chain.find(({ id }) => id === "dns")?.run(signal);
  };
  const found = await resolved(["-e", "https://panel.test", ...own]);
  assertEquals([found?.status, found?.text], [
    "ok",
    `panel.test is 127.0.0.1, 127.0.0.2, answered by 127.0.0.1 port ${server.port}, of --custom-dns`,
  ]);
  const failed = await resolved(["-e", "https://none.test", ...own]);
  assertEquals(failed?.status, "failed");
  const words = `asked 127.0.0.1 port ${server.port}, of --custom-dns: `;
  assertStringIncludes(failed?.text ?? "", words);
  const asked = async (files: Readonly<Record<string, string>>) => {
    using _files = restoring(Deno, "readTextFile");
    Deno.readTextFile = (path) => {
      const text = files[String(path)];
      return text === undefined
        ? Promise.reject(new Deno.errors.NotFound())
        : Promise.resolve(text);
    };
    const { text = "" } = await resolved(["-e", "https://localhost"]) ?? {};
    return /, (?:answered by|found in) ([^;]*)/.exec(text)?.[1];
  };
  const resolver = "/etc/resolv.conf";
  assertEquals(await asked({}), "the system");
  assertEquals(await asked({ [resolver]: "search x\n" }), "the system");
  const servers = "nameserver 192.0.2.1\n# nameserver 192.0.2.2\nnameserver\t2001:db8::1\n";
  assertEquals(await asked({ [resolver]: servers }), "192.0.2.1, 2001:db8::1");
  const hosts = { [resolver]: servers, "/etc/hosts": "127.0.0.1 localhost\n" };
  assertEquals(await asked(hosts), "line 1 of /etc/hosts");
});

Deno.test("panelChain() take the panel's clock for the middle of a call", async () => {
  const second = Date.UTC(2024, 1, 29, 12);
  using time = new FakeTime({ now: second });
  const { clock } = await checked(({ url }) => {
    // The last call before the clock is compared.
    if (new URL(url).pathname === "/api/version") time.tick(4_000);
    return Response.json(UNKNOWN_METHOD, { headers: { date: new Date(second).toUTCString() } });
  });
  assertEquals(clock?.text, "2 s ahead of the panel's");
});

Deno.test("panelChain() know the panel's clock by its Date alone", async () => {
  const headers = { date: "yesterday" };
  const { clock } = await checked(() => Response.json(UNKNOWN_METHOD, { headers }));
  assertEquals(clock?.status, "skipped");
});

Deno.test("panelChain() name a token within quotes of either kind, where the panel refuses it", async () => {
  const table: [token: string, isQuoted: boolean][] = [
    ["'abc'", true],
    ['"abc"', true],
    ["'abc\"", false],
    ["a'b'", false],
    ["<abc>", true],
    ["\u201cabc\u201d", true],
    ["abc>", false],
  ];
  for (const [token, isQuoted] of table) {
    const refuse = () => Response.json({ status: "error" }, { status: 401 });
    const { token: found } = await checked(refuse, ["-t", token]);
    assertEquals([found?.status, found?.text.includes("within quotes")], ["failed", isQuoted]);
  }
  for (const variable of ["$TOKEN", "${TOKEN}"]) {
    const { token } = await checked(() => Response.json({}, { status: 401 }), ["-t", variable]);
    assertStringIncludes(token?.text ?? "", "; it is a variable, in whose place nothing puts");
  }
  const uuid = crypto.randomUUID();
  const { token: ofNode } = await checked(() => Response.json({}, { status: 401 }), ["-t", uuid]);
  assertStringIncludes(ofNode?.causes?.[0] ?? "", "it has the form of a node's UUID");
  const accepted = await checked(() => Response.json(UNKNOWN_METHOD), ["-t", "'abc'"]);
  assertEquals(accepted.token?.status, "ok");
});

Deno.test("panelChain() say what asks for a password, and where a redirect leads", async () => {
  const wall = { "www-authenticate": "Basic" };
  const { panel } = await checked(() => page("Log in", 401, wall));
  assertEquals(
    panel?.text,
    'something in front of the panel asks for a password (status 401 and a page of HTML, "Log in")',
  );
  // What takes no POST is not to be blamed for a page that asks for a password.
  const behind = await checked(({ method }) =>
    method === "POST"
      ? new Response("", { status: 405 })
      : new Response("", { status: 401, headers: wall })
  );
  assertEquals(behind.panel?.text.startsWith("something in front of the panel asks"), true);
  for (const [status, words] of [[300, "redirected to /x"], [399, "redirected to /x"]] as const) {
    const moved = await checked(() => new Response("", { status, headers: { location: "/x" } }));
    assertEquals(moved.panel?.text.includes(words), true, moved.panel?.text);
  }
});

Deno.test("panelChain() say that a panel which breaks off is none, in whichever call", async () => {
  // The connection of a server that sends no answer ends the call.
  for (const breaking of ["POST", "GET"]) {
    await using server = serving(async (connection) => {
      const buffer = new Uint8Array(4096);
      const count = await connection.read(buffer) ?? 0;
      const isBreaking = new TextDecoder().decode(buffer.subarray(0, count)).startsWith(breaking);
      const answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
      if (!isBreaking && count > 0) await connection.write(new TextEncoder().encode(answer));
    });
    const { panel } = await checksOf(["-e", `http://${server.host}`, "-t", TOKEN]);
    assertEquals(panel?.status, "failed", breaking);
    assertMatch(
      adviceText(panel),
      /^see whether a request is answered, and by HTTP\/1.1 as this agent's: curl --http1.1 -v/,
    );
  }
});

Deno.test("panelChain() tell a token that is lost on the way from one that is refused", async () => {
  // As a panel does behind a proxy that drops the query: it takes the token in the body, too.
  const behind = (known: string) => async (request: Request) => {
    const text = request.method === "POST" ? await request.text() : "";
    const isKnown = text.includes(`"token":"${known}"`);
    return isKnown
      ? Response.json(UNKNOWN_METHOD)
      : Response.json({ status: "error", message: "Unauthorized." }, { status: 401 });
  };
  const { token: dropped } = await checked(behind(TOKEN));
  assertEquals(dropped?.status, "failed");
  assertStringIncludes(dropped?.text ?? "", "never gets it in the query");
  assertStringIncludes(dropped?.advice ?? "", "$is_args$args");
  const { token: refused } = await checked(behind("another"));
  const expected = 'the panel does not know this token (flag --token), "Unauthorized."';
  assertEquals(refused?.text, expected);
  assertStringIncludes(refused?.causes?.[0] ?? "", "panels make tokens of 22 characters");
  assertEquals(refused?.causes?.length, 4);
  await using server = Deno.serve(HERE, behind("another"));
  const causesOf = async (length: number) => {
    const args = ["-e", `http://127.0.0.1:${server.addr.port}`, "-t", "x".repeat(length)];
    return (await checksOf(args)).token?.causes ?? [];
  };
  assertEquals((await causesOf(22)).length, 2);
  assertStringIncludes(
    (await causesOf(24))[1] ?? "",
    "the key of auto-discovery, give it as that: ",
  );
});

inFolder.test("tokenResult() begins with a variable of the unit that wins over another token", (folder) => {
  const configPath = `${folder.path}/config.json`;
  const file = "/etc/systemd/system/x.service.d/y.conf";
  const unit = [{ name: "Environment", value: "AGENT_TOKEN=", file }];
  const of = (token: string) => {
    Deno.writeTextFileSync(configPath, JSON.stringify({ token }));
    const env = { AGENT_ENDPOINT: "http://a.example", AGENT_TOKEN: "y".repeat(22) };
    const config = { ...configOf(["doctor"], env), configPath, isConfigInstalled: true };
    const refused = { token: "refused", refusal: "", isInHeader: false } as const;
    return tokenResult(wayTo(config, unit), refused).causes ?? [];
  };
  const [remove = "", add = "", ...more] = of("x".repeat(22));
  assertStringIncludes(remove, `remove AGENT_TOKEN from ${file}, which wins over the token of`);
  assertStringIncludes(add, `add one, and give its token: change AGENT_TOKEN in ${file}, and then`);
  assertEquals(more, []);
  assertEquals(of("y".repeat(22)).length, 2, "it is the same one");
});

Deno.test("tokenResult() names the entry of one panel among several, and how its token is given", () => {
  const config = configOf(["doctor", "-e", "http://a.example", "-t", "x"]);
  const origins = new Map([["panels", "key panels of /x/config.json"]]);
  const furtherPanels = [{ ...config, endpoint: "http://b.example", token: "y".repeat(22) }];
  const way = wayTo({ ...config, ...furtherPanels[0], furtherPanels, origins }, []);
  const refused = { token: "refused", refusal: "", isInHeader: false } as const;
  const { text, causes } = tokenResult(way, refused);
  const entry = "key panels of /x/config.json (b.example)";
  assertEquals(text, `the panel does not know this token (${entry})`);
  assertStringIncludes(causes?.[0] ?? "", `write it into ${entry}, and then: komari-agent-deno`);
});

Deno.test("withDoubts() begins with lost packets where an answer does not come", async () => {
  const way = wayTo(configOf(["doctor", "-e", "http://192.0.2.7", "-t", "x"]), []);
  const answer = { ...result("failed", "no answer within 5 s", "one"), kind: "no_answer" } as const;
  const late = Promise.resolve(answer);
  for (const [lost, lines] of [[2, 2], [0, 1], [undefined, 1]] as const) {
    way.pings = Promise.resolve(lost);
    const { advice, causes = [advice] } = await withDoubts(way, late);
    assertEquals(causes.length, lines);
    assertEquals(
      causes[0]?.startsWith("2 of 5 pings are lost, too: see where") ?? false,
      lost === 2,
    );
  }
});

Deno.test("withDoubts() puts doubts about the addresses first where a link has failed", async () => {
  const way = wayTo(configOf(["doctor", "-e", "http://p.example", "-t", "x"]), []);
  const failed = result("failed", "text", "advice");
  assertEquals(await withDoubts(way, Promise.resolve(failed)), failed);
  way.doubts = ["doubt"];
  const doubted = await withDoubts(way, Promise.resolve(failed));
  assertEquals(doubted, { status: "failed", text: "text", causes: ["doubt", "advice"] });
  const fine = result("ok", "text");
  assertEquals(await withDoubts(way, Promise.resolve(fine)), fine);
});

inFolder.test("withDoubts() begins with a variable of the unit that wins over the configuration", async (folder) => {
  const configPath = `${folder.path}/config.json`;
  const file = "/etc/systemd/system/x.service.d/y.conf";
  const unit = [{ name: "Environment", value: "AGENT_ENDPOINT=", file }];
  const of = async (endpoint: string) => {
    Deno.writeTextFileSync(configPath, JSON.stringify({ endpoint }));
    const config = configOf(["doctor"], { AGENT_ENDPOINT: "http://old.example", AGENT_TOKEN: "x" });
    const way = wayTo({ ...config, configPath, isConfigInstalled: true }, unit);
    return await withDoubts(way, Promise.resolve(failed("refused", "look")));
  };
  const [first, second] = (await of("http://p.example")).causes ?? [];
  const words = `remove AGENT_ENDPOINT from ${file}, which wins over http://p.ex`;
  assertStringIncludes(first ?? "", words);
  assertEquals(second, "look");
  assertEquals((await of("http://old.example")).advice, "look");
});
