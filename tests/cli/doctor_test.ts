import { assert, assertEquals } from "@std/assert";
import { reportJson, type ReportLayout, reportText, runDoctor } from "../../lib/cli/doctor.ts";
import { translate } from "../../lib/cli/translate.ts";
import type { Check } from "../../lib/doctor/check.ts";
import { ok, skipped, warning } from "../../lib/doctor/check.ts";
import { openHealth } from "../state/health_folder.ts";
import { inFolder } from "../temp_folder.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { displayWidth } from "../../lib/cli/layout.ts";

const check = (id: string, title: string, found: Partial<Check> = ok("fine")): Check => ({
  ...{ id, title, ms: 12, status: "ok", text: "", advice: [] },
  ...found,
});
const BROKEN = check("connect", "TCP connection", {
  status: "failed",
  text: "panel.example port 25774 (192.0.2.7): connection refused (answered by 192.0.2.53)",
  advice: [
    "start the panel if it is down (ss -ltn); else correct -e or a firewall",
    "see whether a firewall, here or there, refuses it: nft list ruleset || iptables-save",
  ],
});
const CHECKS: readonly Check[] = [
  BROKEN,
  check("agent", "Running agent", { status: "failed", text: "none", follows: "connect" }),
  check("service", "Service", warning("it does not start at boot", "do it", "or not")),
  check("config", "Configuration", ok("from flags and variables")),
  check("dns", "Name resolution", ok("panel.example is 192.0.2.7, answered by 192.0.2.53")),
  check("tls", "TLS", { ...skipped("not checked"), follows: "connect" }),
  check("websocket", "WebSocket", skipped("not used: --transport http")),
];
const LAYOUT: ReportLayout = {
  ...{ language: "en", isColored: false, columns: 80 },
  inLanguage: (text) => text,
};
const CHINESE: ReportLayout = {
  ...LAYOUT,
  language: "zh",
  inLanguage: (text) => translate(text, "zh"),
};

Deno.test("the report has each problem in three lines at most, and how many checks have passed", () => {
  assertEquals(
    reportText(CHECKS, LAYOUT),
    `\
✗ TCP connection: panel.example port 25774 (192.0.2.7): connection refused
  (answered by 192.0.2.53)
  → start the panel if it is down (ss -ltn); else correct -e or a firewall
! Service: it does not start at boot
  → do it
  → or not
2 checks passed, 1 not run
`,
  );
  assertEquals(reportText([check("config", "Configuration")], LAYOUT), "1 checks passed\n");
});

Deno.test("the report in Chinese", () => {
  assertEquals(
    reportText(CHECKS.slice(0, 1), CHINESE),
    `\
✗ TCP 连接：panel.example 端口 25774（192.0.2.7）：连接被拒绝（由 192.0.2.53
  回答）
  → 如果没有程序监听该端口（ss -ltn），请启动面板；否则改正 -e 或防火墙
0 项检查通过
`,
  );
});

Deno.test("--verbose shows all checks with all of their advice", () => {
  assertEquals(
    reportText(CHECKS, { ...LAYOUT, verbose: true }),
    `\
✗ TCP connection: panel.example port 25774 (192.0.2.7): connection refused
  (answered by 192.0.2.53)
  → start the panel if it is down (ss -ltn); else correct -e or a firewall
  → see whether a firewall, here or there, refuses it: nft list ruleset ||
    iptables-save
✗ Running agent: none
! Service: it does not start at boot
  → do it
  → or not
✓ Configuration: from flags and variables
✓ Name resolution: panel.example is 192.0.2.7, answered by 192.0.2.53
- TLS: not checked
- WebSocket: not used: --transport http
2 checks passed, 1 not run
`,
  );
});

Deno.test("no line is wider than the terminal, and no problem takes a fourth line", () => {
  const words = "some words of a text that does not end soon and goes on ".repeat(9);
  const long = check("x", "A title", warning(words, words, words));
  for (const layout of [LAYOUT, CHINESE]) {
    const lines = reportText([long], layout).trimEnd().split("\n");
    assertEquals(lines.length, 4);
    assert(lines.every((line) => displayWidth(line) <= 80), lines.join("\n"));
  }
});

Deno.test("a check of one of several panels names it", () => {
  const of = { ...BROKEN, panel: "panel.example", text: "why", advice: [] };
  assertEquals(reportText([of], LAYOUT).split("\n")[0], "✗ TCP connection (panel.example): why");
  assertEquals(reportText([of], CHINESE).split("\n")[0], "✗ TCP 连接（panel.example）：why");
});

Deno.test("the results for programs are English, and name the cause", () => {
  assertEquals(JSON.parse(reportJson(CHECKS.slice(0, 3))), {
    ok: false,
    cause: "connect",
    checks: [
      {
        ...{ id: "connect", ms: 12, status: "failed", text: BROKEN.text },
        causes: BROKEN.advice,
      },
      { id: "agent", ms: 12, status: "failed", text: "none", follows: "connect" },
      {
        ...{ id: "service", ms: 12, status: "warning", text: "it does not start at boot" },
        causes: ["do it", "or not"],
      },
    ],
  });
  assertEquals(JSON.parse(reportJson([])), { ok: true, checks: [] });
});

Deno.test("the exit code is 1 where a check has failed", async () => {
  const context = new FakeContext({ HOME: "/nowhere" });
  const args = ["doctor", "-e", "http://127.0.0.1:9", "-t", "s3cret-token", "--json"];
  // It is not sealed then, which this process could not undo.
  const config = configOf([...args, "--enable-remote-control", "--install-service-name", "none"]);
  assertEquals(await runDoctor(config, context), 1);
  const { cause, checks } = JSON.parse(context.printed);
  assertEquals([cause, checks.length > 10], ["connect", true]);
  assertEquals(context.printed.includes("s3cret-token"), false);
});

inFolder.test("runDoctor() makes its checks although the file of registered nodes can't be read", async ({ path }) => {
  Deno.mkdirSync(`${path}/auto-discovery.state`);
  const words = ["doctor", "-e", "http://127.0.0.1:9", "--auto-discovery", "a-key-of-the-panel"];
  const more = ["--json", "--enable-remote-control", "--install-service-name", "none"];
  const context = new FakeContext({ HOME: "/nowhere" });
  const env = { RUNTIME_DIRECTORY: path, STATE_DIRECTORY: path };
  await runDoctor(configOf([...words, ...more], env), context);
  assert(JSON.parse(context.printed).checks.length > 10);
});

inFolder.test("an agent that reports to another panel says nothing of the one that is asked about", async (folder) => {
  using file = openHealth(folder.path);
  const panel = { transport: undefined, sinceMs: 0, failures: 0, probes: 0 };
  file.setPanels([{ ...panel, panel: "q.example", shortConnections: 9 }], { now: true });
  file.setProblem("state", "Cannot write /x: No space left on device");
  const words = ["doctor", "-e", "http://127.0.0.1:9", "-t", "x", "--json", "--month-rotate", "1"];
  // It is not sealed then, which this process could not undo.
  const more = ["--enable-remote-control", "--install-service-name", "none"];
  const context = new FakeContext({ HOME: "/nowhere" });
  const env = { RUNTIME_DIRECTORY: folder.path, STATE_DIRECTORY: folder.path };
  await runDoctor(configOf([...words, ...more], env), context);
  const checks: Check[] = JSON.parse(context.printed).checks;
  const said = Object.fromEntries(checks.map(({ id, status, text }) => [id, `${status}: ${text}`]));
  const elsewhere = `process ${Deno.pid} reports to q.example, and not to this panel`;
  assertEquals([said["agent"], said["connections"], said["state"]], [
    `skipped: ${elsewhere}`,
    "skipped: no agent is seen to run here",
    `ok: ${folder.path}`,
  ]);
});
