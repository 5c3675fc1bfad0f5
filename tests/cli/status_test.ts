import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { checkHealth } from "../../lib/cli/health.ts";
import { displayWidth } from "../../lib/cli/layout.ts";
import { runStatus, type Status, statusText } from "../../lib/cli/status.ts";
import { translate } from "../../lib/cli/translate.ts";
import type { PanelHealth, ProblemPart } from "../../lib/state/health_file.ts";
import { FakeTime } from "../fake_time.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { openHealth } from "../state/health_folder.ts";
import { withInstalledService } from "../service/installed_service.ts";
import { healthOf, SERVICE } from "../doctor/seen_health.ts";
import { acceptAt } from "../state/accept_at.ts";
import { replaced, withTexts } from "../replaced.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { onLinux } from "../only_on.ts";

const NOW = Date.UTC(2024, 1, 29, 12);
const PANEL: PanelHealth = {
  panel: "p.example/x",
  transport: "v2 WebSocket",
  sinceMs: NOW - 300_000,
  acceptedAtMs: NOW - 1234,
  intervalMs: 3000,
  failures: 0,
  probes: 5,
};
const HEALTH = healthOf({
  ...{ startedAtMs: NOW - 3 * 86_400_000, acceptedAtMs: NOW - 1234, panels: [PANEL] },
  seal: "sealed by the kernel and the runtime",
});
const STATUS: Status = {
  health: HEALTH,
  memoryBytes: 52 * 1024 * 1024,
  isPaused: false,
  service: { ...SERVICE, isEnabled: true },
  found: { status: "ok", text: "x is running, and starts at boot", advice: [] },
  nowMs: NOW,
};
const NOT_INSTALLED = {
  status: "skipped",
  text: "not installed as a service",
  advice: [],
} as const;
const REFUSED = {
  text: "no connection to q.example: connection refused",
  action: "start it",
  atMs: NOW - 60_000,
};
const DOWN: PanelHealth = { ...PANEL, transport: undefined, failures: 3, error: REFUSED };
const LONG_AGO: PanelHealth = { ...DOWN, acceptedAtMs: NOW - 180_000 };
const NEVER: PanelHealth = { ...DOWN, acceptedAtMs: undefined, panel: "q.example" };

function panels(...panels: PanelHealth[]): Partial<Status> {
  return { health: { ...HEALTH, panels } };
}

/** The first line of what is shown. */
function verdict(change: Partial<Status>): string {
  return statusText({ ...STATUS, ...change }).split("\n")[0] ?? "";
}

Deno.test("statusText() shows the verdict, and then agent, panel, report, probes, memory, seal and service", () => {
  assertEquals(
    statusText(STATUS),
    `\
OK: reporting to p.example/x, the last report 1.2 s ago
Agent         version 1.2.3, process 7, running for 3 d
Panel         p.example/x, by v2 WebSocket for 5 min
Last report   accepted 1.2 s ago, interval 3 s
Probes        5
Memory        52.0 MiB
Seal          sealed by the kernel and the runtime
Service       x is running, and starts at boot
`,
  );
  const probing: PanelHealth = {
    ...{ ...PANEL, lastMinute: 42, lost: 7, shortConnections: 4 },
    lostTargets: [{ kind: "tcp", target: "192.0.2.1:22" }],
    proxy: "10.0.0.1 port 3128",
  };
  const problems = [
    { part: "ping", text: "no socket", sinceMs: NOW },
    { part: "metrics", text: "port taken", sinceMs: NOW },
  ] as const;
  assertEquals(
    statusText({
      ...STATUS,
      health: { ...HEALTH, panels: [probing, NEVER], problems },
      found: { status: "failed", text: "x is running twice", advice: ["stop one", "or both"] },
      stateTrouble: "/x is read-only",
      mistake: "Cannot use key interval of /etc/x/config.json",
      change: "/x.json was changed after the agent read it",
    }),
    `\
REPORTING to p.example/x, BUT p.example/x: the last 4 WebSockets were closed after only 0.0 s to 0.0 s → stop this agent, and see whether the panel still shows the node online: then another agent has this token; if not, have the proxy in front of the panel keep silent connections for longer (nginx: proxy_read_timeout 60s)
NOT REPORTING to q.example for 3 d: no connection to q.example: connection refused → start it
Agent         version 1.2.3, process 7, running for 3 d
Panel         p.example/x, by v2 WebSocket through the proxy 10.0.0.1 port 3128 for 5 min
Last report   accepted 1.2 s ago, interval 3 s
Probes        5, 42 in the last minute, 7 lost; always lost: 192.0.2.1:22 (tcp)
Panel         q.example, not connected for 5 min
Last report   none was accepted yet
Last failure  60 s ago (3 so far): no connection to q.example: connection refused
Probes        5
Memory        52.0 MiB
Seal          sealed by the kernel and the runtime
State folder  /x is read-only
Problem       p.example/x: the last 4 WebSockets were closed after only 0.0 s to 0.0 s
Problem       ICMP probes don't work: no socket
Problem       metrics can't be served: port taken → free that port, or choose another one by --metrics
Service       x is running twice
  1.          stop one
  2.          or both
Configuration Cannot use key interval of /etc/x/config.json
Configuration /x.json was changed after the agent read it
`,
  );
});

Deno.test("statusText() begins with what is wrong and what to do, whatever that is", () => {
  const seenIn = (panels: PanelHealth[], part: ProblemPart, text: string) => ({
    health: { ...HEALTH, panels, problems: [{ part, text, sinceMs: 1 }] },
  });
  const seen = (part: ProblemPart, text: string) => seenIn([PANEL], part, text);
  const notAtBoot = {
    status: "warning",
    text: "x is running, and does not start at boot",
    advice: ["systemctl enable x"],
  } as const;
  const stopped = { status: "failed", text: "x is stopped", advice: ["start x"] } as const;
  const dead = { ...HEALTH, isRunning: false };
  const changes: Partial<Status>[] = [
    panels(DOWN),
    panels(LONG_AGO),
    panels({ ...PANEL, acceptedAtMs: NOW - 60_000 }),
    { isPaused: true },
    { health: undefined, found: NOT_INSTALLED },
    { health: undefined, found: stopped },
    { health: dead, found: stopped },
    { health: dead, found: NOT_INSTALLED },
    { found: notAtBoot },
    seen("network", "--include-nics wan* matches no interface"),
    seen("terminal", 'there is no "script" command'),
    seen("state", "Cannot write /x/y: no space left"),
    { stateTrouble: "/x is read-only" },
    seenIn([], "registration", "refused"),
    panels(),
    { mistake: "Cannot use key interval" },
    seen("remote", "asked in vain"),
    { found: NOT_INSTALLED },
  ];
  assertEquals(
    changes.map(verdict).join("\n").replaceAll(
      " → run `komari-agent-deno doctor` to check each step",
      " → doctor",
    ),
    `\
NOT REPORTING for 1.2 s: no connection to q.example: connection refused → start it
NOT REPORTING for 3 min: no connection to q.example: connection refused → start it
NOT REPORTING for 60 s: no failure was seen, and no report was accepted → doctor
NOT REPORTING: process 7 was stopped by a signal → kill -CONT 7
NOT REPORTING: no agent of this user runs here, and none is installed as a service → doctor
NOT REPORTING: x is stopped → start x
NOT REPORTING: x is stopped → start x
NOT REPORTING: the agent exited unexpectedly → doctor
REPORTING to p.example/x, BUT x is running, and does not start at boot → systemctl enable x
REPORTING to p.example/x, BUT no traffic is counted: --include-nics wan* matches no interface → correct --include-nics or --exclude-nics by the names that \`ip link\` shows
REPORTING to p.example/x, BUT terminals don't work: there is no "script" command → install it (Debian: bsdutils; Alpine: util-linux-misc; Fedora: util-linux-script)
REPORTING to p.example/x, BUT the month's traffic can't be kept: Cannot write /x/y: no space left → make room on the disk of /x: df -h; df -i
REPORTING to p.example/x, BUT /x is read-only → doctor
NOT REPORTING: this machine can't be registered: refused → doctor
NOT REPORTING: no report was accepted yet → doctor
REPORTING to p.example/x, BUT Cannot use key interval → correct it
OK: reporting to p.example/x, the last report 1.2 s ago
OK: reporting to p.example/x, the last report 1.2 s ago`,
  );
  assertStringIncludes(
    statusText({ ...STATUS, ...seen("remote", "asked in vain") }),
    "Problem       remote control is off: asked in vain → --enable-remote-control turns it on",
  );
});

Deno.test("statusText() tells in the past what an agent has written that does not go on", () => {
  const problems = [{ part: "ping", text: "no socket", sinceMs: NOW }] as const;
  const health = { ...HEALTH, panels: [PANEL, { ...PANEL, transport: undefined }], problems };
  const paused = statusText({ ...STATUS, health, isPaused: true, found: NOT_INSTALLED });
  assertEquals(paused.split("\n").slice(1), [
    "Agent         version 1.2.3, process 7, stopped by a signal; this lets it go on: kill -CONT 7",
    "Panel         p.example/x, last by v2 WebSocket",
    "Last report   accepted 1.2 s ago, interval 3 s",
    "Panel         p.example/x",
    "Last report   accepted 1.2 s ago, interval 3 s",
    "Memory        52.0 MiB",
    "",
  ]);
  const killed = { ...STATUS, health: { ...health, isRunning: false }, memoryBytes: undefined };
  const text = statusText(killed);
  assertStringIncludes(text, "exited unexpectedly (process 7)");
  assertEquals(/Seal|Probes|Problem/.test(text), false, text);
});

Deno.test("statusText() tells a mistake once, and leaves out what is not known", () => {
  const broken = "/etc/x/config.json: invalid JSON";
  const ofLog = { status: "failed", text: `x: Cannot use --config ${broken}`, advice: [] } as const;
  const mistake = `Cannot use the installed configuration ${broken}`;
  assertEquals(statusText({ ...STATUS, found: ofLog, mistake }).includes("Configuration"), false);
  const { startedAtMs: _, ...unknown } = { ...HEALTH, intervalMs: 0, seal: "" };
  const health = {
    ...unknown,
    startedAtMs: undefined,
    panels: [{ ...PANEL, probes: 0, intervalMs: 0 }],
  };
  const text = statusText({ ...STATUS, health, memoryBytes: undefined, found: NOT_INSTALLED });
  assertEquals(text.split("\n").slice(1), [
    "Agent         version 1.2.3, process 7",
    "Panel         p.example/x, by v2 WebSocket for 5 min",
    "Last report   accepted 1.2 s ago",
    "Probes        0",
    "",
  ]);
});

Deno.test("statusText() fits into a narrow terminal, also in Chinese", () => {
  const inLanguage = (english: string) => translate(english, "zh");
  const seal = "sealed by the runtime only, since the kernel has no seccomp filters at all";
  const text = statusText({ ...STATUS, health: { ...HEALTH, seal } }, { inLanguage, columns: 60 });
  for (const line of text.split("\n")) assert(displayWidth(line) <= 60, line);
  assertStringIncludes(text.replaceAll(/\n {14}/g, " "), seal);
  assertStringIncludes(text, "正常：正在向 p.example/x 上报，最近一次在 1.2 秒前\n");
  assertStringIncludes(text, "面板          p.example/x，经 v2 WebSocket 已 5 分钟");
});

inFolder.test("runStatus() exits with code 0 while reports are accepted, else with 1", async (folder) => {
  using file = openHealth(folder.path);
  const name = "no-such-service";
  const config = configOf(["status", "--install-service-name", name], {
    RUNTIME_DIRECTORY: folder.path,
  });
  const exitAt = async (nowMs: number): Promise<number> => {
    using _time = new FakeTime({ now: nowMs });
    const context = new FakeContext({ HOME: folder.path });
    const code = await runStatus(config, context);
    assertStringIncludes(context.printed, `version 1.2.3, process ${Deno.pid}`);
    return code;
  };
  assertEquals(await exitAt(NOW), 1, "no report yet");
  file.setPanels([{ ...PANEL, acceptedAtMs: NOW }], { now: true });
  acceptAt(file, { intervalMs: 3000, atMs: NOW });
  assertEquals(await exitAt(NOW + 1_000), 0);
  assertEquals(await exitAt(NOW + 60_000), 1, "the last one is long ago");
});

onLinux.test("runStatus() tells the memory and the pause of the agent's process", async () => {
  using folder = new TempFolder();
  const stopped = "State:\tT (stopped)\nVmRSS:\t   51200 kB\n";
  using _process = withTexts((path) => path === "/proc/4711/status" ? stopped : undefined);
  const startAgent = () => {
    using _pid = replaced(Deno, { pid: 4711 });
    return openHealth(folder.path);
  };
  using _agent = startAgent();
  const flags = ["--install-service-name", "no-such-service"];
  const context = new FakeContext({ HOME: folder.path });
  await runStatus(configOf(["status", ...flags], { RUNTIME_DIRECTORY: folder.path }), context);
  assertStringIncludes(context.printed, "process 4711, stopped by a signal");
  assertStringIncludes(context.printed, "50.0 MiB");
  for (const alive of [false, true]) {
    assertEquals(
      checkHealth([folder.path], { alive }).text,
      "Unhealthy: process 4711 was stopped by a signal; let it go on: kill -CONT 4711\n",
    );
  }
});

inFolder.test("runStatus() prints everything that it knows as JSON", async (folder) => {
  using file = openHealth(folder.path);
  const flags = ["--install-service-name", "no-such-service", "--json"];
  const mistake = "Cannot use key interval";
  const config = { ...configOf(["status", ...flags], { RUNTIME_DIRECTORY: folder.path }), mistake };
  acceptAt(file, { intervalMs: 3000, atMs: NOW });
  file.setSeal("sealed by the runtime");
  file.setProblem("ping", "no socket");
  const counts = { lastMinute: 42, lost: 7 };
  const error = { text: "Cannot connect", action: "start it", atMs: NOW };
  file.setPanels([{ ...PANEL, ...counts, failures: 2, error }], { now: true });
  using _ = new FakeTime({ now: NOW + 1_000 });
  const context = new FakeContext({ HOME: folder.path });
  assertEquals(await runStatus(config, context), 1, "probes don't work");
  const { memoryBytes, startedAt, ...shown } = JSON.parse(context.printed);
  assertEquals([typeof memoryBytes, typeof startedAt], ["number", "string"]);
  assertEquals(shown, {
    healthy: true,
    running: true,
    pid: Deno.pid,
    version: "1.2.3",
    intervalSeconds: 3,
    seal: "sealed by the runtime",
    panels: [{
      panel: "p.example/x",
      transport: "v2 WebSocket",
      since: new Date(PANEL.sinceMs).toISOString(),
      acceptedAt: new Date(NOW - 1234).toISOString(),
      failures: 2,
      error: { text: "Cannot connect", action: "start it", at: "2024-02-29T12:00:00.000Z" },
      probes: 5,
      probesLastMinute: 42,
      probesLostLastMinute: 7,
    }],
    problems: [{ part: "ping", text: "ICMP probes don't work: no socket" }],
    configurationError: mistake,
  });
  // Another process may have the id of one that is gone.
  Deno.mkdirSync(`${folder.path}/left`);
  Deno.copyFileSync(file.path, `${folder.path}/left/health`);
  const gone = new FakeContext({ HOME: folder.path });
  const env = { RUNTIME_DIRECTORY: `${folder.path}/left` };
  assertEquals(await runStatus(configOf(["status", ...flags], env), gone), 1);
  const { healthy, problem, running, ...rest } = JSON.parse(gone.printed);
  assertEquals([healthy, problem, running], [false, "the agent exited unexpectedly", false]);
  assertEquals(["service", "memoryBytes"].filter((name) => name in rest), []);
});

Deno.test("runStatus() shows an installed service whose agent is not seen", async () => {
  const systemctl =
    'case "$*" in *is-enabled*) exit 1 ;; *-update.service*) echo ActiveState=failed ' +
    ";; *show*) echo NRestarts=1 ;; esac";
  const journalctl = "echo 'agent: Cannot report: why'";
  await withInstalledService({ systemctl, journalctl }, async ({ name, env }) => {
    const run = async (...args: string[]) => {
      const context = new FakeContext(env);
      const config = configOf(["status", "--install-service-name", name, ...args]);
      assertEquals(await runStatus(config, context), 1);
      return context.printed;
    };
    const user = Deno.uid() === 0 ? "" : "--user ";
    const shownText = await run();
    assertStringIncludes(shownText, `NOT REPORTING: ${name} (systemd) is running, and does not`);
    assertStringIncludes(shownText, "the last error in its log: agent: Cannot report: why");
    assertStringIncludes(shownText, `systemctl ${user}start ${name}.service`);
    const updateError = "the last one failed: agent: Cannot report: why";
    assertStringIncludes(shownText, `Updates       ${updateError}\n`);
    const { service, serviceProblem, ...shown } = JSON.parse(await run("--json"));
    assertEquals(shown, { healthy: false, problem: serviceProblem, running: false, updateError });
    assertEquals([service.name, service.isActive, service.isEnabled], [name, true, false]);
    assertEquals(service.restarts, 1);
    assertStringIncludes(serviceProblem, "the last error in its log: agent: Cannot report: why");
    assertEquals(service.lastError, "agent: Cannot report: why");
  });
});

Deno.test("runStatus() waits a moment for a systemctl that does not answer, and claims nothing of it", async () => {
  await withInstalledService(
    { systemctl: "exec sleep 60", journalctl: "" },
    async ({ name, env }) => {
      using time = new FakeTime();
      const context = new FakeContext({ ...env, PATH: `${env.PATH}:${Deno.env.get("PATH")}` });
      const shown = runStatus(configOf(["status", "--install-service-name", name]), context);
      await time.run(3_000);
      assertEquals(await shown, 1);
      const words = `systemctl does not answer, so the state of ${name} is unknown`;
      assertStringIncludes(context.printed, words);
    },
  );
});
