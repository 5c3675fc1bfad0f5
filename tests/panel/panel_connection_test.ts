import { assertEquals, assertRejects } from "@std/assert";
import type { PanelAccess } from "../../lib/panel/authentication.ts";
import { SystemResolver } from "../../lib/net/dns.ts";
import { withRawServer } from "../net/raw_server.ts";
import { realUntil } from "../real_deadline.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { PanelConnection } from "../../lib/panel/panel_connection.ts";
import { failureOf, PanelError } from "../../lib/panel/panel_error.ts";
import { configOf } from "../metrics/config_of.ts";
import { panelFault } from "../test_panel/faults.ts";
import { USER_AGENT } from "../../lib/version.ts";
import { ReportingOwner } from "./reporting_owner.ts";

const config = configOf(["--interval", "0.1"]);
const { signal } = new AbortController();

for (const fault of [undefined, panelFault("websocket-refused")]) {
  const way = fault === undefined ? "WebSocket" : "POST";
  Deno.test(`PanelConnection reports by the token of the moment over ${way}, and tells of refusals`, async () => {
    using panel = await startTestPanel({ discoveryKey: "d1scovery-k3y", fault });
    const refused = Promise.withResolvers<void>();
    const node = { endpoint: panel.url, token: panel.token };
    const observer = {
      onOutcome: (error: unknown) =>
        void (failureOf(error) === "unauthorized" && refused.resolve()),
    };
    const stop = new AbortController();
    const connection = new PanelConnection(node, config, [observer]);
    const owner = new ReportingOwner(connection, config, { signal: stop.signal });
    const running = owner.link.run();
    await panel.state.until(({ counts }) => counts.reports > 1);
    panel.removeNode(panel.token);
    panel.dropConnections();
    await refused.promise;
    const headers = { authorization: "Bearer d1scovery-k3y" };
    const url = `${panel.url}/api/clients/register?name=a`;
    const { data } = await (await fetch(url, { method: "POST", headers })).json();
    const { reports } = panel.state.counts;
    node.token = data.token;
    await panel.state.until(({ counts }) => counts.reports > reports + 1);
    assertEquals(panel.state.violations, []);
    stop.abort();
    owner.close();
    await running;
  });
}

Deno.test("PanelConnection sends the headers of the configuration with each request, and the token where it says", async () => {
  const seen: string[] = [];
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { headers, method } = request;
    const own = ["x-door", "user-agent", "authorization"].map((name) => headers.get(name));
    seen.push([method, ...own, new URL(request.url).search].join(" "));
    return new Response("", { status: 404 });
  });
  const node = { endpoint: `http://panel.test:${server.addr.port}`, token: "t" };
  const lookUp = () => Promise.resolve(["127.0.0.1"]);
  const options = { ...config, headers: [["x-door", "open"]], tokenIn: "header" } as const;
  const system = new SystemResolver({ lookUp, lookUpHosts: lookUp });
  const connection = new PanelConnection(node, options, [], system);
  const { clientV1, clientV2, opener, transfers } = connection;
  const sink = { lengthBytes: 1, write: () => Promise.resolve() };
  const calls = [
    () => clientV1.fetchTasks(signal),
    () => clientV2.pull(signal),
    () => opener.open({ version: 2 }, signal),
    () => opener.open({ terminal: "t" }, signal),
    () => transfers.receive({ id: "i", token: "t" }, sink, signal),
  ];
  for (const call of calls) await assertRejects(call, Error);
  connection.close();
  const sent = `open ${USER_AGENT} Bearer t `;
  const methods = ["GET", "POST", "GET", "GET", "POST"];
  assertEquals(seen, methods.map((it, index) => `${it} ${sent}${index === 3 ? "?id=t" : ""}`));
});

/** A connection that reaches no panel, and what its observer hears. */
function observed(node: PanelAccess) {
  const outcomes: [error: unknown, call: string, cause: string | undefined][] = [];
  const connection = new PanelConnection(node, config, [{
    onOutcome: (error, call, diagnosis) => void outcomes.push([error, call, diagnosis?.cause]),
  }]);
  return { connection, outcomes, [Symbol.dispose]: () => connection.close() };
}

Deno.test("PanelConnection.observe() tells how a call ended, but not one that was aborted", async () => {
  using it = observed({ endpoint: "http://panel", token: "t" });
  const { connection, outcomes } = it;
  const failure = new Error("no");
  assertEquals(await connection.observe("one", () => Promise.resolve()), true);
  assertEquals(await connection.observe("two", () => Promise.reject(failure)), false);
  connection.close();
  assertEquals(connection.calls.aborted, true);
  assertEquals(await connection.observe("three", () => Promise.reject(failure)), false);
  assertEquals(outcomes, [[undefined, "one", undefined], [failure, "two", undefined]]);
});

Deno.test("PanelConnection.tell() takes a closed pull for a time-out only after a report", () => {
  using it = observed({ endpoint: "http://panel", token: "t" });
  const seen = { stage: "closed", error: "the connection was closed without an answer" } as const;
  const closed = new PanelError("closed", { failure: "unreachable", seen });
  for (const call of ["pull", "ok", "pull", "report"]) {
    if (call === "ok") it.connection.tell(undefined, "report");
    else it.connection.tell(closed, call);
  }
  const causes = it.outcomes.map(([, , cause]) => cause);
  assertEquals(causes, ["closes without TLS", undefined, "closes pulls", "closes without TLS"]);
});

Deno.test("PanelConnection.tell() names a node that was deleted only where the panel has taken its token before", () => {
  const node = { endpoint: "https://panel.example.com", token: "abcdefghijklmnopqrstuv" };
  using it = observed(node);
  const seen = { stage: "token", error: "the panel does not know this token" } as const;
  const unknown = new PanelError("Cannot x", { failure: "unauthorized", seen });
  for (const error of [unknown, undefined, unknown]) it.connection.tell(error, "report");
  node.token = "zyxwvutsrqponmlkjihgfe";
  it.connection.tell(unknown, "report");
  const causes = it.outcomes.map(([, , cause]) => cause);
  assertEquals(causes, ["unknown token", undefined, "deleted node", "unknown token"]);
});

Deno.test("PanelConnection.closeIdle() closes the connections that no call uses", async () => {
  let connections = 0;
  let ended = 0;
  await withRawServer(async (peer) => {
    connections++;
    while (await peer.request() !== undefined) await peer.answer("[]");
    ended++;
  }, async ({ origin }) => {
    const connection = new PanelConnection({ endpoint: origin, token: "t" }, config, []);
    for (let n = 0; n < 2; n++) await connection.clientV1.fetchTasks(signal);
    assertEquals([connections, ended], [1, 0]);
    connection.closeIdle();
    await realUntil(() => ended === 1);
    await connection.clientV1.fetchTasks(signal);
    assertEquals(connections, 2);
    connection.close();
    await realUntil(() => ended === 2);
  });
});
