import { assertEquals, assertRejects } from "@std/assert";
import { SystemResolver } from "../../lib/net/dns.ts";
import { withRawServer } from "../net/raw_server.ts";
import { realUntil } from "../real_deadline.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { PanelConnection } from "../../lib/panel/panel_connection.ts";
import type { PanelObserver } from "../../lib/panel/observer.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { configOf } from "../metrics/config_of.ts";
import { panelFault } from "../test_panel/faults.ts";
import { USER_AGENT } from "../../lib/version.ts";
import { ReportingOwner } from "./reporting_owner.ts";

const config = configOf(["--interval", "0.1"]);

for (const fault of [undefined, panelFault("websocket-refused")]) {
  const way = fault === undefined ? "WebSocket" : "POST";
  Deno.test(`PanelConnection reports by the token of the moment over ${way}, and tells of refusals`, async () => {
    using panel = await startTestPanel({ discoveryKey: "d1scovery-k3y", fault });
    const refused = Promise.withResolvers<void>();
    const node = { endpoint: panel.url, token: panel.token };
    const observer = {
      onOutcome(error: unknown) {
        if (error instanceof PanelError && error.failure === "unauthorized") refused.resolve();
      },
    };
    const stop = new AbortController();
    const { signal } = stop;
    const connection = new PanelConnection(node, config, [observer]);
    const owner = new ReportingOwner(connection, config, { signal });
    const running = owner.link.run();
    await panel.state.until(({ counts }) => counts.reports > 1);
    panel.removeNode(panel.token);
    panel.dropConnections();
    await refused.promise;
    const headers = { authorization: "Bearer d1scovery-k3y" };
    const answer = await fetch(`${panel.url}/api/clients/register?name=a`, {
      method: "POST",
      headers,
    });
    const { data } = await answer.json();
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
  const seen: (string | null)[][] = [];
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { headers, method } = request;
    const { search } = new URL(request.url);
    const token = headers.get("authorization");
    seen.push([method, headers.get("x-door"), headers.get("user-agent"), token, search]);
    return new Response("", { status: 404 });
  });
  const node = { endpoint: `http://panel.test:${server.addr.port}`, token: "t" };
  const { signal } = new AbortController();
  const headers = [["x-door", "open"]] as const;
  const lookUp = () => Promise.resolve(["127.0.0.1"]);
  const system = new SystemResolver({ lookUp, lookUpHosts: lookUp });
  const options = { ...config, headers, tokenIn: "header" } as const;
  const connection = new PanelConnection(node, options, [], system);
  const { clientV1, clientV2, opener, transfers } = connection;
  const calls = [
    () => clientV1.fetchTasks(signal),
    () => clientV2.pull(signal),
    () => opener.open({ version: 2 }, signal),
    () => opener.open({ terminal: "t" }, signal),
    () =>
      transfers.receive({ id: "i", token: "t" }, {
        lengthBytes: 1,
        write: () => Promise.resolve(),
      }, signal),
  ];
  for (const call of calls) await assertRejects(call, Error);
  connection.close();
  assertEquals(seen.map(([method]) => method), ["GET", "POST", "GET", "GET", "POST"]);
  for (const [, ...rest] of seen.filter((_, index) => index !== 3)) {
    assertEquals(rest, ["open", USER_AGENT, "Bearer t", ""]);
  }
  assertEquals(seen[3]?.slice(1), ["open", USER_AGENT, "Bearer t", "?id=t"]);
});

Deno.test("PanelConnection.observe() tells how a call ended, but not one that was aborted", async () => {
  const outcomes: unknown[] = [];
  const observer = {
    onOutcome: (error: unknown, call: string) => void outcomes.push([error, call]),
  };
  const connection = new PanelConnection({ endpoint: "http://panel", token: "t" }, config, [
    observer,
  ]);
  const failure = new Error("no");
  assertEquals(await connection.observe("one", () => Promise.resolve()), true);
  assertEquals(await connection.observe("two", () => Promise.reject(failure)), false);
  assertEquals(outcomes, [[undefined, "one"], [failure, "two"]]);
  connection.close();
  assertEquals(connection.calls.aborted, true);
  assertEquals(await connection.observe("three", () => Promise.reject(failure)), false);
  assertEquals(outcomes.length, 2);
});

Deno.test("PanelConnection.tell() takes a closed pull for a time-out only after a report", () => {
  const causes: unknown[] = [];
  const observer: PanelObserver = {
    onOutcome: (error, _, diagnosis) => void (error && causes.push(diagnosis?.cause)),
  };
  const connection = new PanelConnection({ endpoint: "http://panel", token: "t" }, config, [
    observer,
  ]);
  const seen = { stage: "closed", error: "the connection was closed without an answer" } as const;
  const closed = new PanelError("closed", { failure: "unreachable", seen });
  connection.tell(closed, "pull");
  connection.tell(undefined, "report");
  for (const call of ["pull", "report"]) connection.tell(closed, call);
  assertEquals(causes, ["closes without TLS", "closes pulls", "closes without TLS"]);
  connection.close();
});

Deno.test("PanelConnection.closeIdle() closes the connections that no call uses", async () => {
  let connections = 0;
  let ended = 0;
  await withRawServer(async (peer) => {
    connections++;
    while (await peer.request() !== undefined) await peer.answer("[]");
    ended++;
  }, async ({ origin }) => {
    const { signal } = new AbortController();
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

Deno.test("PanelConnection.tell() names a node that was deleted only where the panel has taken its token before", () => {
  const causes: unknown[] = [];
  const node = { endpoint: "https://panel.example.com", token: "abcdefghijklmnopqrstuv" };
  const connection = new PanelConnection(node, config, [{
    onOutcome: (_error, _call, diagnosis) => void causes.push(diagnosis?.cause),
  }]);
  const seen = { stage: "token", error: "the panel does not know this token" } as const;
  const unknown = new PanelError("Cannot x", { failure: "unauthorized", seen });
  connection.tell(unknown, "report");
  connection.tell(undefined, "report");
  connection.tell(unknown, "report");
  node.token = "zyxwvutsrqponmlkjihgfe";
  connection.tell(unknown, "report");
  assertEquals(causes, ["unknown token", undefined, "deleted node", "unknown token"]);
  connection.close();
});
