import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { abortable } from "@std/async/abortable";
import {
  checksJson,
  checkText,
  type CompletedCheck,
  parseCheck,
  result,
  runChecks,
} from "../../lib/cli/checks.ts";
import { allPanelChecks, runDoctor } from "../../lib/cli/doctor.ts";
import { AS_SERVICE } from "../../lib/cli/doctor_as_service.ts";
import {
  configCheck,
  disksResult,
  hangingMounts,
  machineChecks,
} from "../../lib/cli/doctor_machine.ts";
import { clockDifference, connectAdvice, tlsAdvice } from "../../lib/cli/doctor_advice.ts";
import { NodeStore } from "../../lib/panel/node_store.ts";
import { DialError } from "../../lib/net/errors.ts";
import { displayWidth } from "../../lib/cli/help.ts";
import { translate } from "../../lib/cli/translate.ts";
import { panelChecks } from "../../lib/cli/doctor_panel.ts";
import type { Config } from "../../lib/config/config.ts";
import { type FaultName, panelFault } from "../test_panel/faults.ts";
import type { GenerationName } from "../test_panel/generation.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";
import { FakeTime } from "../fake_time.ts";
import { realDeadline } from "../real_deadline.ts";
import { makeCertificate } from "../net/test_authority.ts";
import { configOf as resolved, FakeContext, openHealth } from "./fake_context.ts";

const TOKEN = "t0ken-of-this-node";

const inChinese = (english: string) => translate(english, "zh");

const certificate = await makeCertificate();

function configOf(args: readonly string[], env: Record<string, string> = {}): Config {
  return resolved(["doctor", ...args], env);
}

/** The checks by their ids. */
async function check(config: Config): Promise<Record<string, CompletedCheck>> {
  const { signal } = new AbortController();
  const options = { signal, secrets: config.secrets };
  const completed = await Array.fromAsync(runChecks(panelChecks(config), options));
  return Object.fromEntries(completed.map((it) => [it.id, it]));
}

function statuses(checks: Record<string, CompletedCheck>): Record<string, string> {
  return Object.fromEntries(Object.values(checks).map(({ id, status }) => [id, status]));
}

const ALL_FINE = {
  dns: "ok",
  connect: "ok",
  tls: "ok",
  panel: "ok",
  token: "ok",
  websocket: "ok",
  clock: "ok",
  round_trip: "ok",
};

async function withPanel(
  options: { fault?: FaultName; generation?: GenerationName },
  test: (url: string, requireUnseen: () => void) => Promise<void>,
): Promise<void> {
  const fault = options.fault === undefined ? undefined : panelFault(options.fault);
  const panel = await startTestPanel({ ...options, fault, token: TOKEN, port: 0 });
  try {
    await test(panel.url, () => {
      const { counts, sockets } = panel.state;
      assertEquals([counts.reports, sockets.opened, counts.pulls], [0, 0, 0]);
    });
  } finally {
    panel.close();
  }
}

Deno.test("panelChecks() find a panel of version 2 in order, and never appear there", async () => {
  await withPanel({}, async (url, requireUnseen) => {
    const checks = await check(configOf(["-e", url, "-t", TOKEN]));
    assertEquals(statuses(checks), ALL_FINE);
    assertStringIncludes(checks.panel?.text ?? "", "protocol version 2");
    requireUnseen();
  });
});

Deno.test("panelChecks() find a panel of version 1", async () => {
  await withPanel({ generation: "1.1" }, async (url, requireUnseen) => {
    const checks = await check(configOf(["-e", url, "-t", TOKEN]));
    assertEquals(statuses(checks), { ...ALL_FINE, websocket: "skipped" });
    assertStringIncludes(checks.panel?.text ?? "", "protocol version 1");
    requireUnseen();
  });
});

for (const generation of ["1.1", "1.4", "1.5", "main"] as const) {
  Deno.test(`panelChecks() say that a panel ${generation} refuses the token`, async () => {
    await withPanel({ generation }, async (url) => {
      const { panel, token, websocket } = await check(configOf(["-e", url, "-t", "another"]));
      assertEquals([panel?.status, token?.status, websocket?.status], ["ok", "failed", "skipped"]);
      assertStringIncludes(token?.advice ?? "", "token of this node");
    });
  });
}

Deno.test("panelChecks() say why WebSockets are blocked", async () => {
  const faults: [FaultName, string][] = [
    ["upgrade-403", "status 403"],
    ["upgrade-502", "status 502"],
    ["upgrade-302", "login page"],
    ["upgrade-html", "HTML"],
  ];
  for (const [fault, words] of faults) {
    await withPanel({ fault }, async (url) => {
      const { panel, websocket } = await check(configOf(["-e", url, "-t", TOKEN]));
      assertEquals([panel?.status, websocket?.status], ["ok", "warning"], fault);
      assertStringIncludes(websocket?.text ?? "", words);
    });
  }
});

Deno.test("panelChecks() name a proxy that removes the Upgrade header", async () => {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const body = request.method === "POST"
      ? { jsonrpc: "2.0", id: 1, error: { code: -32601, message: "method not found" } }
      : { error: "Require WebSocket upgrade", status: "error" };
    return Response.json(body, { status: 400 });
  });
  try {
    const url = `http://127.0.0.1:${server.addr.port}`;
    const { websocket } = await check(configOf(["-e", url, "-t", TOKEN]));
    assertEquals(websocket?.status, "warning");
    assertStringIncludes(websocket?.text ?? "", "the Upgrade header is removed");
    assertStringIncludes(websocket?.advice ?? "", "nginx");
  } finally {
    await server.shutdown();
  }
});

Deno.test("panelChecks() say what answers in place of a panel", async () => {
  const faults: [FaultName, string][] = [
    ["html-200", "not a Komari panel's"],
    ["502-html", "status 502"],
    ["302-login", "login page"],
    ["404-install", "not a Komari panel's"],
    ["reset", "connection"],
  ];
  for (const [fault, words] of faults) {
    await withPanel({ fault }, async (url) => {
      const checks = await check(configOf(["-e", url, "-t", TOKEN]));
      assertEquals([checks.panel?.status, checks.token?.status], ["failed", "skipped"], fault);
      assertStringIncludes(checks.panel?.text ?? "", words, fault);
    });
  }
});

Deno.test("panelChecks() say where the way to the panel ends", async () => {
  const unknown = await check(configOf(["-e", "https://panel.invalid", "-t", TOKEN]));
  assertEquals(statuses(unknown), {
    ...{ dns: "failed", connect: "skipped", tls: "skipped", panel: "skipped", token: "skipped" },
    ...{ websocket: "skipped", clock: "skipped", round_trip: "skipped" },
  });
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  const { connect } = await check(configOf(["-e", `http://127.0.0.1:${port}`, "-t", TOKEN]));
  assertEquals(
    connect?.text,
    `Cannot connect to 127.0.0.1 port ${port}: connection refused`,
  );
  assertStringIncludes(connect?.advice ?? "", "in a container this address is the container");
  const noRoute = new DialError("Cannot connect: network is unreachable", { stage: "connect" });
  const way = { url: new URL("https://panel.example"), proxy: undefined };
  assertStringIncludes(JSON.stringify(connectAdvice(noRoute, way)), "ip route");
  const { signal } = new AbortController();
  assertStringIncludes(JSON.stringify(tlsAdvice("no answer within 10 s", way)), "smaller MTU");
  const issuer = JSON.stringify(tlsAdvice("its issuer is unknown to this machine", way));
  assertStringIncludes(issuer, "fullchain.pem");
  const [none] = panelChecks(configOf([]));
  assertEquals((await none?.run(signal))?.status, "failed");
  const [other] = panelChecks(configOf([]), { unreadableConfig: "/etc/x/config.json" });
  assertEquals((await other?.run(signal))?.advice, "run it as root (sudo)");
});

Deno.test("panelChecks() name quotes around a token, and leave a node that registers itself", async () => {
  await withPanel({}, async (url) => {
    const { token } = await check(configOf(["-e", url, "-t", `"${TOKEN}"`]));
    assertEquals([token?.status, token?.advice], [
      "failed",
      "write the token without the quotes",
    ]);
    const own = await check(configOf(["-e", url, "--auto-discovery", "key-of-the-panel"]));
    assertEquals([own.token?.text, own.websocket?.text], [own.token?.text, own.token?.text]);
    assertStringIncludes(own.websocket?.text ?? "", "registers itself");
  });
});

Deno.test("panelChecks() name what takes no POST, and not the page that answers GET", async () => {
  const options = { port: 0, hostname: "127.0.0.1", onListen() {} };
  const server = Deno.serve(
    options,
    ({ method }) =>
      method === "POST"
        ? new Response("<title>405 Not Allowed</title>", { status: 405 })
        : new Response("<title>Komari</title>"),
  );
  try {
    const url = `http://127.0.0.1:${server.addr.port}`;
    const { panel } = await check(configOf(["-e", url, "-t", TOKEN]));
    assertStringIncludes(panel?.text ?? "", "405 Not Allowed");
  } finally {
    await server.shutdown();
  }
});

const PLAIN_TO_HTTPS = "<title>400 The plain HTTP request was sent to HTTPS port</title>";

Deno.test("panelChecks() say what to do about each answer that is no panel's", async () => {
  const table: [status: number, headers: Record<string, string>, body: string, advice: string][] = [
    [401, { "www-authenticate": "Basic" }, "{}", "the token is not the cause"],
    [401, {}, "<title>401 Authorization Required</title>", "the token is not the cause"],
    [400, {}, PLAIN_TO_HTTPS, "use https://127.0.0.1"],
    [413, {}, "<title>413 Request Entity Too Large</title>", "client_max_body_size"],
    [502, {}, "<title>502 Bad Gateway</title>", "the panel behind it is down"],
    [503, {}, "Service Unavailable", "the panel behind it is down"],
    [504, {}, "", "the panel behind it is down"],
    [403, {}, "<title>Attention Required!</title>", "let /api/clients/ pass"],
    [405, {}, "<title>405 Not Allowed</title>", "let /api/clients/ pass"],
    [301, { location: "https://u:pw@p.example/x/api/clients/y?t=1" }, "", "-e https://p.example/x"],
    [308, { location: "/sub/api/clients/v2/rpc" }, "", "/sub"],
    [302, { location: "https://login.example/" }, "", "the address and its path"],
    [404, {}, '{"message":"Not found in install mode"}', "not set up yet"],
    [404, {}, "404 page not found", "the address and its path"],
    [200, {}, "<title>Welcome to nginx!</title>", "the address and its path"],
  ];
  for (const [status, headers, body, advice] of table) {
    const options = { port: 0, hostname: "127.0.0.1", onListen() {} };
    const server = Deno.serve(options, () => new Response(body, { status, headers }));
    try {
      const url = `http://127.0.0.1:${server.addr.port}`;
      const { panel, token } = await check(configOf(["-e", url, "-t", TOKEN]));
      assertEquals([panel?.status, token?.status], ["failed", "skipped"], body);
      assertStringIncludes(panel?.advice ?? "", advice);
      const [, title = ""] = /<title>(.*)<.title>/.exec(body) ?? [];
      assertStringIncludes(panel?.text ?? "", title);
    } finally {
      await server.shutdown();
    }
  }
});

Deno.test("panelChecks() name a proxy variable that is wrong, or whose proxy refuses", async () => {
  const table: [answer: string, advice: string][] = [
    ["HTTP/1.1 407 Proxy Authentication Required", "user and password into HTTPS_PROXY"],
    ["HTTP/1.1 403 Forbidden", "have the proxy allow panel.example"],
    ["HTTP/1.1 502 Bad Gateway", "can't reach panel.example"],
    ["HTTP/1.1 405 Not Allowed", "a web server rather than a proxy"],
    ["SSH-2.0-OpenSSH_9.2", "a web server rather than a proxy"],
  ];
  for (const [answer, advice] of table) {
    const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const serving = (async () => {
      for await (const connection of listener) {
        await connection.read(new Uint8Array(4096));
        await connection.write(new TextEncoder().encode(`${answer}\r\n\r\n`));
        connection.close();
      }
    })();
    const env = { HTTPS_PROXY: `http://127.0.0.1:${listener.addr.port}` };
    const config = configOf(["-e", "https://panel.example", "-t", TOKEN], env);
    const { connect, tls } = await check(config);
    assertEquals([connect?.status, tls?.status], ["failed", "skipped"], answer);
    assertStringIncludes(connect?.advice ?? "", advice);
    listener.close();
    await serving.catch(() => {});
  }
  const dead = { HTTP_PROXY: "http://127.0.0.1:1" };
  const { connect } = await check(configOf(["-e", "http://panel.example", "-t", TOKEN], dead));
  assertStringIncludes(connect?.advice ?? "", "start the proxy, correct HTTP_PROXY");
});

Deno.test("panelChecks() tell https to a plain port from http to a port of TLS", async () => {
  const options = { port: 0, hostname: "127.0.0.1", onListen() {} };
  const server = Deno.serve(options, () => new Response("{}"));
  try {
    const { port } = server.addr;
    const { tls, panel } = await check(configOf(["-e", `https://127.0.0.1:${port}`, "-t", TOKEN]));
    assertEquals([tls?.status, panel?.status], ["failed", "skipped"]);
    assertStringIncludes(tls?.advice ?? "", `-e http://127.0.0.1:${port}`);
  } finally {
    await server.shutdown();
  }
});

Deno.test({
  name: "panelChecks() show the names of a certificate that is for another name",
  ignore: certificate === undefined,
  async fn() {
    const { authority = "", certificate: cert = "", key = "" } = certificate ?? {};
    const options = { port: 0, hostname: "127.0.0.2", cert, key, onListen() {} };
    const server = Deno.serve(options, () => new Response());
    const file = Deno.makeTempFileSync();
    try {
      Deno.writeTextFileSync(file, authority);
      const url = `https://127.0.0.2:${server.addr.port}`;
      const { tls } = await check(configOf(["-e", url, "-t", TOKEN, "--ca-cert", file]));
      assertStringIncludes(tls?.text ?? "", "it is for another name");
      assertStringIncludes(tls?.text ?? "", "for localhost, panel.test");
      assertStringIncludes(tls?.advice ?? "", "a certificate for 127.0.0.2");
    } finally {
      Deno.removeSync(file);
      await server.shutdown();
    }
  },
});

Deno.test("clockDifference() rounds to a unit that people use", () => {
  const table: [ms: number, en: string, zh: string][] = [
    [42_400, "42 s", "42 秒"],
    [-300_000, "300 s", "300 秒"],
    [15 * 60_000, "15 min", "15 分钟"],
    [-3 * 3_600_000, "3 h", "3 小时"],
    [400 * 86_400_000, "400 days", "400 天"],
  ];
  for (const [ms, en, zh] of table) {
    assertEquals(clockDifference(ms), en);
    assertEquals(
      inChinese(`${clockDifference(ms)} behind the panel's`),
      `比面板慢 ${zh}`,
    );
  }
});

Deno.test("panelChecks() take any answer of JSON-RPC for a panel's, and name a login page", async () => {
  await withPanel({ fault: "rpc-32000" }, async (url) => {
    const { panel, token } = await check(configOf(["-e", url, "-t", TOKEN]));
    assertEquals([panel?.status, token?.status], ["ok", "ok"]);
  });
  await withPanel({ fault: "upgrade-302" }, async (url) => {
    const { websocket } = await check(configOf(["-e", url, "-t", TOKEN]));
    assertStringIncludes(websocket?.text ?? "", "redirected to /login");
  });
});

Deno.test("panelChecks() name a clock that is off by five minutes", async () => {
  for (const [offMs, words] of [[300_000, "300 s behind"], [-300_000, "300 s ahead"]] as const) {
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => {
      const date = new Date(Date.now() + offMs).toUTCString();
      return Response.json({ status: "error" }, { status: 401, headers: { date } });
    });
    try {
      const url = `http://127.0.0.1:${server.addr.port}`;
      const { clock } = await check(configOf(["-e", url, "-t", TOKEN]));
      assertEquals(clock?.status, "warning");
      assert(/^(299|300|301) s (behind|ahead)/.test(clock?.text ?? ""), clock?.text);
      assertStringIncludes(clock?.text ?? "", words.slice(-6));
    } finally {
      await server.shutdown();
    }
  }
});

Deno.test({
  name: "panelChecks() show a certificate's issuer and days, trusted or not",
  ignore: certificate === undefined,
  async fn() {
    const { authority = "", certificate: cert = "", key = "" } = certificate ?? {};
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", cert, key, onListen() {} },
      () => Response.json({ status: "error" }, { status: 401 }),
    );
    const folder = Deno.makeTempDirSync();
    try {
      Deno.writeTextFileSync(`${folder}/ca.pem`, authority);
      const args = ["-e", `https://localhost:${server.addr.port}`, "-t", TOKEN];
      const untrusted = await check(configOf(args));
      assertEquals([untrusted.tls?.status, untrusted.panel?.status], ["failed", "skipped"]);
      assertStringIncludes(untrusted.tls?.text ?? "", "issued by test-authority");
      assertStringIncludes(untrusted.tls?.text ?? "", "Cannot trust the certificate");
      const trusted = await check(configOf([...args, "--ca-cert", `${folder}/ca.pem`]));
      assertEquals([trusted.tls?.status, trusted.panel?.status], ["warning", "ok"]);
      assertStringIncludes(trusted.tls?.text ?? "", "valid for 1 more days");
      const any = await check(configOf([...args, "--ignore-unsafe-cert"]));
      assertEquals([any.tls?.status, any.panel?.status], ["warning", "ok"]);
    } finally {
      Deno.removeSync(folder, { recursive: true });
      await server.shutdown();
    }
  },
});

Deno.test({
  name: "panelChecks() warn of a certificate that ends within two weeks",
  ignore: certificate === undefined,
  async fn() {
    for (const [days, expected] of [[14, "warning"], [15, "ok"]] as const) {
      const { authority = "", certificate: cert, key } = await makeCertificate({ days }) ?? {};
      const server = Deno.serve(
        { port: 0, hostname: "127.0.0.1", cert, key, onListen() {} },
        () => Response.json({ status: "error" }, { status: 401 }),
      );
      const file = Deno.makeTempFileSync();
      try {
        Deno.writeTextFileSync(file, authority);
        const url = `https://localhost:${server.addr.port}`;
        const { tls } = await check(configOf(["-e", url, "-t", TOKEN, "--ca-cert", file]));
        assertEquals(tls?.status, expected, tls?.text);
        assertEquals(tls?.advice?.includes("renew"), expected === "warning" ? true : undefined);
      } finally {
        Deno.removeSync(file);
        await server.shutdown();
      }
    }
  },
});

Deno.test("runDoctor() exits with code 1 if a check has failed, else with 0", async () => {
  const folder = Deno.makeTempDirSync();
  using health = openHealth(folder);
  health.accepted(3000);
  try {
    await withPanel({}, async (url) => {
      for (const [token, expected] of [[TOKEN, 0], ["another", 1]] as const) {
        // With remote control this process is not sealed.
        const args = ["-e", url, "-t", token, "--enable-remote-control", "--json"];
        const more = ["--install-service-name", "no-such-service"];
        const config = configOf([...args, ...more], { RUNTIME_DIRECTORY: folder });
        const context = new FakeContext({ HOME: folder });
        assertEquals(await runDoctor(config, context), expected, context.printed);
        const { ok, checks } = JSON.parse(context.printed);
        assertEquals([ok, checks.length > 10], [expected === 0, true]);
      }
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("hangingMounts() names the file systems that do not answer", async () => {
  const statfs = (path: string): Promise<unknown> => {
    if (path === "/gone") return Promise.reject(new Error("gone"));
    return path === "/nfs" ? new Promise(() => {}) : Promise.resolve();
  };
  const options = { statfs, timeoutMs: 1 };
  assertEquals(await hangingMounts(["/", "/nfs", "/gone"], options), ["/nfs"]);
});

Deno.test("disksResult() is a failure where a counted disk hangs, else a warning", () => {
  const mount = (mountPoint: string, counted: boolean) => {
    return { mountPoint, source: "/dev/vda", type: "ext4", counted, rule: "" };
  };
  const all = [mount("/", true), mount("/data", true), mount("/nfs", false)];
  const resultOf = (...hanging: string[]) => {
    const { status, text } = disksResult(all, hanging);
    return `${status} ${text}`;
  };
  assertEquals(resultOf(), "ok /, /data counted, 1 left out");
  assertEquals(resultOf("/data"), "failed /data does not answer within 3 s");
  assertEquals(resultOf("/nfs"), "warning /nfs does not answer within 3 s");
  assertEquals(resultOf("/nfs", "/"), "failed /nfs, / does not answer within 3 s");
  assertEquals(disksResult([mount("/nfs", false)], []).status, "warning");
});

Deno.test("machineChecks() have a title in both languages, and ids of their own", () => {
  const config = configOf(["-e", "https://p.example", "-t", TOKEN]);
  const options = { os: "linux", arch: "x86_64", health: undefined };
  const all = [configCheck(config), ...panelChecks(config), ...machineChecks(config, options)];
  assertEquals(new Set(all.map(({ id }) => id)).size, all.length);
  const names = ["TLS", "WebSocket"];
  for (const { title } of all) assert(names.includes(title) || inChinese(title) !== title, title);
});

Deno.test("configCheck() names the file, and everything that is to know", async () => {
  const { signal } = new AbortController();
  const fine = await configCheck(configOf(["-t", "x"])).run(signal);
  assertEquals([fine.status, fine.text], ["ok", "from flags and variables"]);
  const warned = await configCheck(configOf(["-i", "60"])).run(signal);
  assertEquals(warned.status, "warning");
  assertStringIncludes(warned.text, "35 s");
});

Deno.test("runChecks() hides secrets, and takes an error for a failure", async () => {
  const run = () => {
    throw new Error("Cannot use s3cret");
  };
  const advise = () => result("warning", "with s3cret", "use s3cret");
  const { signal } = new AbortController();
  const checks = [
    { id: "x", title: "X", run },
    { id: "y", title: "Y", run: advise },
  ];
  const [completed, hidden] = await Array.fromAsync(
    runChecks(checks, { signal, secrets: ["s3cret"] }),
  );
  assert(completed !== undefined);
  assertEquals([completed.status, completed.text], ["failed", "Cannot use …"]);
  assertEquals([hidden?.text, hidden?.advice], ["with …", "use …"]);
  const advised = { ...completed, ms: 7, advice: "do it" };
  const words: Record<string, string> = { "X": "某", "do it": "去做" };
  const inLanguage = (text: string) => words[text] ?? text;
  assertEquals(
    checkText(advised, { language: "zh", inLanguage, isColored: false }),
    "✗ 某                Cannot use …（7 ms）\n  → 去做\n",
  );
  assertEquals(JSON.parse(checksJson([advised])), {
    ok: false,
    checks: [{ id: "x", status: "failed", text: "Cannot use …", advice: "do it", ms: 7 }],
  });
});

Deno.test("runChecks() takes a check that hangs for a failure after 30 s, and goes on", async () => {
  using time = new FakeTime();
  const { signal } = new AbortController();
  const title = "X";
  const checks = [
    { id: "hangs", title, run: () => new Promise<never>(() => {}) },
    { id: "fine", title, run: () => result("ok", "fine") },
  ].map((it) => ({
    ...it,
    run: (limit: AbortSignal) => abortable(Promise.resolve(it.run()), limit),
  }));
  const completed = Array.fromAsync(runChecks(checks, { signal, secrets: [] }));
  await time.run(29_999);
  assertEquals(time.timers, 1);
  await time.run(1);
  const outcomes = (await realDeadline(completed)).map(({ status, text }) => [status, text]);
  assertEquals(outcomes, [["failed", "no answer within 30 s"], ["ok", "fine"]]);
});

Deno.test("runChecks() ends with the signal's reason, and takes no check for failed by it", async () => {
  const controller = new AbortController();
  const run = (signal: AbortSignal) => {
    controller.abort(new Error("enough"));
    return abortable(new Promise<never>(() => {}), signal);
  };
  const checks = [{ id: "x", title: "X", run }];
  const running = runChecks(checks, { signal: controller.signal, secrets: [] });
  await assertRejects(() => realDeadline(Array.fromAsync(running)), Error, "enough");
});

Deno.test("checkText() fits into 60 columns, and breaks no word", () => {
  const check: CompletedCheck = {
    id: "x",
    title: "ICMP probes",
    status: "failed",
    text: "they don't work: Cannot ping 127.0.0.1: there is no ping command on this machine",
    advice: "install iputils-ping ".repeat(5).trim(),
    ms: 7,
  };
  const chinese: Record<string, string> = {
    [check.title]: "ICMP 探测",
    [check.text]: "不可用：这台机器上没有 ping 命令，所以无法向任何目标发送 ICMP 探测，请先安装它",
    [check.advice ?? ""]: "安装 iputils-ping 软件包。".repeat(6),
  };
  for (const language of ["en", "zh"] as const) {
    const inLanguage = (text: string) => language === "zh" ? chinese[text] ?? "" : text;
    const layout = { language, inLanguage, isColored: false, columns: 60 };
    const lines = checkText(check, layout).split("\n");
    assert(lines.length > 4);
    for (const line of lines) assert(displayWidth(line) <= 60, line);
    const words = lines.join(" ").split(/ +/);
    assert(words.includes("iputils-ping") && words.includes("ICMP"), lines.join("\n"));
  }
});

Deno.test("allPanelChecks() check each of several panels with its own token, and name it", async () => {
  await withPanel({}, async (url) => {
    const file = Deno.makeTempFileSync();
    const other = url.replace("127.0.0.1", "localhost");
    const panels = [{ endpoint: url, token: TOKEN }, { endpoint: other, token: "wrong" }];
    Deno.writeTextFileSync(file, JSON.stringify({ panels }));
    try {
      const config = configOf(["--config", file]);
      const { signal } = new AbortController();
      const checks = runChecks(allPanelChecks(config), { signal, secrets: [] });
      const tokens = (await Array.fromAsync(checks)).filter(({ id }) => id === "token");
      assertEquals(tokens.map(({ panel, status }) => [panel, status]), [
        [new URL(url).host, "ok"],
        [new URL(other).host, "failed"],
      ]);
    } finally {
      Deno.removeSync(file);
    }
  });
});

/** Runs the command without a service, and without a seal of this process. */
async function doctorIn(
  folder: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; printed: string }> {
  const more = ["--enable-remote-control", "--install-service-name", "no-such-service"];
  const config = configOf([...args, ...more], { RUNTIME_DIRECTORY: folder });
  const context = new FakeContext({ HOME: folder, ...env });
  return { code: await runDoctor(config, context), printed: context.printed };
}

Deno.test("runDoctor() shows each check in its order, and the sum", async () => {
  const folder = Deno.makeTempDirSync();
  using health = openHealth(folder);
  health.accepted(3000);
  try {
    await withPanel({}, async (url) => {
      const { printed } = await doctorIn(folder, ["-e", url, "-t", TOKEN]);
      const lines = printed.split("\n");
      const titles = lines.flatMap((line) => /^[✓!✗-] (.{18})/.exec(line)?.[1]?.trim() ?? []);
      assertEquals(titles, [
        ...["Configuration", "Service", "Running agent", "Other agents", "Probes"],
        ...["Name resolution", "TCP connection", "TLS", "Panel", "Token", "WebSocket", "Clock"],
        ...["Round trip", "Open files", "Interfaces", "Disks", "ICMP probes", "State folder"],
        ...["Version", "Seal"],
      ]);
      const sum = lines.at(-2) ?? "";
      assert(/^(Everything is fine|\d failed, \d warnings?)\.$/.test(sum), sum);
      assertEquals([lines.at(-3), lines.at(-1)], ["", ""]);
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("runDoctor() puts a panel's name above its checks where there are several", async () => {
  const folder = Deno.makeTempDirSync();
  const panels = [1, 2].map((port) => ({
    endpoint: `http://127.0.0.1:${port}`,
    token: `t${port}`,
  }));
  Deno.writeTextFileSync(`${folder}/config.json`, JSON.stringify({ panels }));
  const config = configOf(["--config", `${folder}/config.json`], { RUNTIME_DIRECTORY: folder });
  const context = new FakeContext({ HOME: folder });
  try {
    const doctor = { ...config, serviceName: "no-such-service", remoteControl: true };
    assertEquals(await runDoctor(doctor, context), 1);
    const lines = context.printed.split("\n");
    for (const port of [1, 2]) {
      const at = lines.indexOf(`127.0.0.1:${port}`);
      assertEquals([lines[at - 1], lines[at + 1]?.includes("Name resolution")], ["", true]);
      assertEquals(lines.lastIndexOf(`127.0.0.1:${port}`), at);
    }
    const after = lines.findIndex((line) => line.includes("Open files"));
    assertEquals(lines[after - 1], "", "what is of no panel stands apart");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("runDoctor() prints its checks for the doctor that has started it, and has not failed", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const { code, printed } = await doctorIn(folder, ["-e", "http://127.0.0.1:1", "-t", TOKEN], {
      [AS_SERVICE]: "1",
    });
    const checks = printed.trim().split("\n").map((line) => JSON.parse(line).check);
    assertEquals(code, 0);
    assertEquals(checks.map(({ id }) => id), [
      ...["dns", "connect", "tls", "panel", "token", "websocket", "clock", "round_trip"],
      ...["open_files", "interfaces", "disks", "ping", "state", "seal"],
    ]);
    assertEquals(checks.map((check) => parseCheck(check, [])).flat().length, checks.length);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("runDoctor() uses the token that this node has registered with", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    await withPanel({}, async (url) => {
      const store = new NodeStore(`${folder}/state`, { ignoreDamage: false });
      using opened = store;
      await opened.open();
      await opened.save({ endpoint: url, uuid: "u", token: TOKEN, registeredAtMs: 1 });
      const args = ["-e", url, "--auto-discovery", "key-of-the-panel", "--json"];
      const { printed } = await doctorIn(folder, [...args, "--state-dir", `${folder}/state`]);
      const { checks } = JSON.parse(printed);
      const token = checks.find(({ id }: { id: string }) => id === "token");
      assertEquals([token.status, token.text], ["ok", "accepted"]);
      const without = ["-e", url, "--json", "--state-dir", `${folder}/state`];
      const { checks: others } = JSON.parse((await doctorIn(folder, without)).printed);
      const missing = others.find(({ id }: { id: string }) => id === "token");
      assertEquals([missing.status, missing.text], ["failed", "no token is configured"]);
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
