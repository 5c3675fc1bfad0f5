import { assertEquals } from "@std/assert";
import {
  type AnswerEvidence,
  gatherPanel,
  judgePanel,
  type PanelEvidence,
} from "../../lib/doctor/panel.ts";
import { PanelCalls } from "../../lib/doctor/panel_calls.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { same } from "../cases.ts";
import { onLinux } from "../only_on.ts";
import { shown, TOKEN, wayOf } from "./way_of.ts";

const page = (status: number, text = "", headers: Record<string, string> = {}) => ({
  ...{ status, text },
  headers: new Map(Object.entries(headers)),
});
const upgradable = page(426, "", { "sec-websocket-version": "13" });
const KNOWN: AnswerEvidence = {
  found: { answer: page(400), protocol: 2, isAccepted: true },
  ...{ version: "1.4.3", tokenPlace: "query", roundTripMs: 35, clockErrorMs: 0 },
  upgrade: upgradable,
};
const UNKNOWN = {
  answer: page(401, '{"message":"Unauthorized."}'),
  protocol: 2,
  isAccepted: false,
} as const;

/** The findings of the links behind the connection that are named. */
const judge = (
  [links, answer, options = "-e https://panel.example"]: readonly [
    links: string,
    answer: AnswerEvidence,
    options?: string,
  ],
) => {
  const evidence: PanelEvidence = { connection: { address: "192.0.2.7" }, answer, ms: {} };
  const tls = options.includes("https:") ? { tls: {} } : {};
  return judgePanel({ ...evidence, name: NAME, ...tls }, wayOf(options))
    .filter(({ id }) => links.split(" ").includes(id)).map(shown).join("\n");
};
const NAME = { ms: 1, addresses: ["192.0.2.7"], answers: [], file: "/etc/resolv.conf" };

Deno.test("what answers is judged", () =>
  same(judge, [
    [["panel", KNOWN], "ok: Komari 1.4.3, protocol version 2, answers in 35 ms"],
    [
      ["panel", { ...KNOWN, roundTripMs: 1_200 }],
      "warning: Komari 1.4.3, protocol version 2, answers in 1200 ms → see whether the way is slow (ping -c 5 192.0.2.7), or the panel's machine (top)",
    ],
    [
      ["panel", { error: "no answer within 7 s", isLate: true }],
      "failed: connected to panel.example, and no answer within 7 s (192.0.2.7, answered by /etc/resolv.conf) → see on the panel's machine whether the panel hangs: its log; top; df -h → see whether a late answer comes: curl -v https://panel.example",
    ],
    [
      ["panel", { error: "the connection was lost" }],
      "failed: connected to panel.example, and the connection was lost (192.0.2.7, answered by /etc/resolv.conf) → see what answers there: curl --http1.1 -v https://panel.example",
    ],
    [
      ["panel", {
        found: { answer: page(404, "<title>404</title>", { server: "nginx" }) },
        panelAt: "https://panel.example/komari",
      }],
      'failed: no Komari panel at this address: status 404 and a page of HTML, "404", by "nginx" (192.0.2.7, answered by /etc/resolv.conf); a Komari panel answers at https://panel.example/komari → write https://panel.example/komari into -e → correct the address and its path in -e → if the panel is behind that server, have it pass requests on (nginx: server_name, proxy_pass)',
    ],
  ]));

Deno.test("the token is judged, and where it is from is named", () => {
  const refused: AnswerEvidence = { ...KNOWN, found: UNKNOWN };
  return same(judge, [
    [["token", KNOWN], "ok: accepted"],
    [["token", { ...KNOWN, tokenPlace: "header" }], "ok: accepted in a header"],
    [
      ["token", refused],
      'failed: the panel does not know this token (flag --token), "Unauthorized." → see on the panel\'s page whether the node is still there, and put its token into --token',
    ],
    [
      ["token", refused, "-e https://panel.example -t 0123456789abcde"],
      'failed: the panel does not know this token (flag --token), "Unauthorized." → copy the node\'s token from the panel (this one has 15 characters instead of 22)',
    ],
    [
      ["token", refused, "-e https://panel.example -t 0f8fad5b-d9cb-469f-a165-70867728950e"],
      'failed: the panel does not know this token (flag --token), "Unauthorized." → copy the node\'s token from the panel (this one is a UUID, which names a node)',
    ],
    [
      ["token", KNOWN, "-e https://panel.example --auto-discovery a-key-of-the-panel"],
      "skipped: not checked: this node registers itself",
    ],
  ]);
});

Deno.test("WebSockets are judged by the answer to an unknown version", () =>
  same(judge, [
    [["websocket", KNOWN], "ok: upgrade requests reach the panel"],
    [
      ["websocket", { ...KNOWN, upgrade: "no answer within 5 s" }],
      "warning: WebSockets are blocked: no answer within 5 s; reports go by POST then → let the proxy in front of the panel pass WebSockets (nginx: proxy_http_version 1.1, headers Upgrade and Connection)",
    ],
    [
      ["websocket", KNOWN, "-e https://panel.example --transport http"],
      "skipped: not used: --transport http",
    ],
    [
      ["websocket", { ...KNOWN, found: { ...UNKNOWN, protocol: 1, isAccepted: true } }],
      "skipped: not used on panels of version 1",
    ],
  ]));

Deno.test("links behind a broken one are not judged, and follow from it; http:// stands last", () => {
  const connection = {
    error: "Cannot connect to panel.example port 80: connection refused",
  };
  const checks = judgePanel({ name: NAME, connection, ms: {} }, wayOf("-e http://panel.example"));
  assertEquals(checks.map(({ id, status, follows }) => `${id} ${status} ${follows ?? ""}`), [
    "network skipped ",
    "dns ok ",
    "connect failed ",
    "panel skipped connect",
    "clock skipped connect",
    "token skipped connect",
    "websocket skipped connect",
    "encryption skipped connect",
  ]);
});

Deno.test("a name server that is out of reach is no cause where /etc/hosts has the address", () => {
  const answers = [{ server: "9.9.9.9", code: "network is unreachable", ms: 1, addresses: [] }];
  const eth0 = { name: "eth0", isUp: true, hasCarrier: true, addresses: ["192.0.2.5"] };
  const broken = (addresses: readonly string[]) => {
    const error = "Cannot connect to panel.example port 443 (192.0.2.7): host is unreachable";
    const evidence: PanelEvidence = {
      network: { interfaces: [eth0], routes: [] },
      name: { ...NAME, answers, addresses },
      ...addresses.length > 0 && { connection: { error } },
      ms: {},
    };
    return judgePanel(evidence, wayOf()).find(({ status }) => status === "failed")?.id;
  };
  assertEquals([broken(["192.0.2.7"]), broken([])], ["connect", "network"]);
});

Deno.test("links that there was no time for say so", () => {
  const checks = judgePanel({ name: NAME, ms: {} }, wayOf());
  assertEquals(checks.find(({ id }) => id === "connect")?.text.includes("no time"), true);
});

Deno.test("a panel is gathered link by link, and the node is not shown as online for it", async () => {
  using panel = await startTestPanel({ token: TOKEN });
  const evidence: PanelEvidence = { ms: {} };
  const way = wayOf(`-e ${panel.url}`, { addresses: [] });
  await gatherPanel(way, evidence, new AbortController().signal);
  const { connection, answer } = evidence;
  assertEquals([connection?.address, connection?.error], ["127.0.0.1", undefined]);
  assertEquals([answer?.found?.protocol, answer?.found?.isAccepted], [2, true]);
  const failed = judgePanel(evidence, way).filter(({ status }) => status === "failed");
  assertEquals(failed, []);
  assertEquals(panel.state.reports.length, 0);
});

Deno.test("a panel elsewhere on the host is asked without the token", async () => {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    asked.push(`${new URL(request.url).pathname} ${request.url.includes(TOKEN)}`);
    return new Response("<title>Welcome</title>", { status: 404 });
  });
  const evidence: PanelEvidence = { ms: {} };
  const way = wayOf(`-e http://127.0.0.1:${server.addr.port}/k`);
  await gatherPanel(way, evidence, new AbortController().signal);
  await server.shutdown();
  const isOfOthers = (line: string) => !line.startsWith("/k/api/clients/");
  assertEquals(asked.filter((line) => isOfOthers(line) && line.endsWith("true")), []);
  assertEquals(asked.some((line) => line.startsWith("/api/version")), true);
});

onLinux.test("no panel on another port is proposed where one answers at the address itself", async () => {
  // An address of this test's own, since the port is the one of panels.
  const hostname = "127.46.25.77";
  const serve = (port: number, answer: () => Response) =>
    Deno.serve({ hostname, port, onListen() {} }, answer);
  let text = '{"message":"Not found in install mode"}';
  await using here = serve(0, () => new Response(text, { status: 404 }));
  await using _ = serve(25774, () => Response.json({ data: { version: "1.4.3 → x" } }));
  const panelAt = async () => {
    const evidence: PanelEvidence = { ms: {} };
    const way = wayOf(`-e http://${hostname}:${here.addr.port}`);
    await gatherPanel(way, evidence, new AbortController().signal);
    return evidence.answer?.panelAt;
  };
  assertEquals(await panelAt(), undefined);
  text = "<title>Welcome to nginx!</title>";
  const elsewhere = `http://${hostname}:25774`;
  assertEquals(await panelAt(), elsewhere);
  const calls = new PanelCalls(wayOf(`-e ${elsewhere}`));
  assertEquals(await calls.version(new AbortController().signal), "1.4.3 -> x");
});
