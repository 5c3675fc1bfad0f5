import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { checkHealth } from "../../lib/cli/health.ts";
import { displayWidth, duration } from "../../lib/cli/help.ts";
import { runStatus, type Status, statusJson, statusText } from "../../lib/cli/status.ts";
import { translate } from "../../lib/cli/translate.ts";
import type { PanelHealth } from "../../lib/state/health_file.ts";
import { FakeTime } from "../fake_time.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { openHealth } from "../state/health_folder.ts";
import { withInstalledService } from "./installed_service.ts";
import { healthOf, SERVICE } from "./seen_health.ts";
import { acceptAt } from "../state/accept_at.ts";
import { replaced, withTexts } from "../replaced.ts";
import { writeExecutable } from "../executable.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { onLinux } from "../only_on.ts";

const inChinese = (english: string) => translate(english, "zh");
const NOW = Date.UTC(2024, 1, 29, 12);
const PANEL = {
  panel: "p.example/x",
  transport: "v2 WebSocket",
  sinceMs: NOW - 300_000,
  acceptedAtMs: NOW - 1234,
  intervalMs: 3000,
  failures: 0,
  error: undefined,
  probes: 5,
};
const STATUS: Status = {
  health: healthOf({
    ...{ startedAtMs: NOW - 3 * 86_400_000, acceptedAtMs: NOW - 1234, panels: [PANEL] },
    seal: "sealed by the kernel and the runtime",
  }),
  memoryBytes: 52 * 1024 * 1024,
  isPaused: false,
  service: { ...SERVICE, isEnabled: false },
  found: {
    status: "warning",
    text: "x is running, and does not start at boot",
    advice: "start it at boot: systemctl enable x",
  },
  nowMs: NOW,
};
const NOT_INSTALLED = { status: "skipped", text: "not installed as a service" } as const;

Deno.test("statusText() shows agent, panel, report, probes, memory, seal and service", () => {
  assertEquals(statusText(STATUS).split("\n"), [
    "Agent         version 1.2.3, process 7, running for 3 d",
    "Panel         p.example/x, by v2 WebSocket for 5 min",
    "Last report   accepted 1.2 s ago (3 s)",
    "Probes        5",
    "Memory        52.0 MiB",
    "Seal          sealed by the kernel and the runtime",
    "Service       x is running, and does not start at boot",
    "  →           start it at boot: systemctl enable x",
    "",
  ]);
  const words = "面板          p.example/x，经 v2 WebSocket 已 5 分钟";
  assertStringIncludes(statusText(STATUS, { inLanguage: inChinese }), words);
});

Deno.test("statusText() says how old the panel's word on the token is, and what is seen of the state", () => {
  const of = (change: Partial<PanelHealth>) => {
    const panels = [{ ...PANEL, ...change }];
    return statusText({ ...STATUS, health: STATUS.health && { ...STATUS.health, panels } });
  };
  const tokenKnownAtMs = NOW - 300_000;
  assertStringIncludes(
    of({ tokenKnownAtMs }),
    "accepted 1.2 s ago (3 s); the panel last checked the token 5 min ago\n",
  );
  for (
    const change of [{ tokenKnownAtMs: NOW - 9_000 }, { tokenKnownAtMs, transport: "v2 POST" }]
  ) {
    assertStringIncludes(of(change), "accepted 1.2 s ago (3 s)\n");
  }
  const trouble = statusText({ ...STATUS, stateTrouble: "/x is read-only" });
  assertStringIncludes(trouble, "State folder  /x is read-only; `doctor` says what to do\n");
});

Deno.test("statusText() shows what fails, for each panel", () => {
  const broken = {
    ...PANEL,
    panel: "q.example",
    transport: undefined,
    acceptedAtMs: undefined,
    failures: 3,
    error: { text: "Cannot connect", atMs: NOW - 60_000 },
  };
  const linesOf = (...panels: PanelHealth[]) => {
    const health = STATUS.health && { ...STATUS.health, panels };
    return statusText({ ...STATUS, health }).split("\n");
  };
  assertEquals(linesOf(PANEL, broken).slice(1, 8), [
    "Panel         p.example/x, by v2 WebSocket for 5 min",
    "Last report   accepted 1.2 s ago (3 s)",
    "Probes        5",
    "Panel         q.example, not connected for 5 min",
    "Last report   none was accepted yet",
    "Last failure  60 s ago (3 so far): Cannot connect",
    "Probes        5",
  ]);
  const failureAfter = (failures: number) => linesOf({ ...broken, failures })[3];
  const expected = "Last failure  60 s ago (1 so far): Cannot connect";
  assertEquals(failureAfter(1), expected);
  assertEquals(failureAfter(0), "Last failure  60 s ago: Cannot connect");
});

Deno.test("statusText() says that no agent runs, or that it was killed", () => {
  const none = { ...STATUS, health: undefined, found: NOT_INSTALLED, memoryBytes: undefined };
  assertEquals(
    statusText(none),
    "Agent         no agent of this user runs here, and none is installed as a service\n",
  );
  const health = STATUS.health && { ...STATUS.health, isRunning: false };
  assertStringIncludes(statusText({ ...STATUS, health }), "exited unexpectedly (process 7)");
});

Deno.test("statusText() shows all that it knows beside a mistake in the configuration", () => {
  const mistake = "Cannot use key interval of /etc/x/config.json";
  const [before, after] = [STATUS, { ...STATUS, mistake }].map((it) => statusText(it));
  assertEquals(after, `${before}Configuration ${mistake}\n`);
  const change = "/x.json was changed since it has read that";
  assertEquals(statusText({ ...STATUS, change }), `${before}Configuration ${change}\n`);
  assertEquals(JSON.parse(statusJson({ ...STATUS, change })).configurationChange, change);
  const found = { status: "failed", text: `x is not running; ${mistake}` } as const;
  assertEquals(statusText({ ...STATUS, found, mistake }).split(mistake).length, 2, "once");
  const broken = "/etc/x/config.json: it is no valid JSON";
  const ofLog = { status: "failed", text: `x: Cannot use --config ${broken}` } as const;
  const read = `Cannot use the installed configuration ${broken}`;
  const shown = statusText({ ...STATUS, found: ofLog, mistake: read }).includes("Configuration");
  assertEquals(shown, false);
});

Deno.test("statusText() tells in the past what an agent has written that does not go on", () => {
  const down = { ...PANEL, panel: "q.example", transport: undefined };
  const problems = [{ part: "ping", text: "no socket", sinceMs: NOW }] as const;
  const health = STATUS.health && { ...STATUS.health, panels: [PANEL, down], problems };
  const paused = statusText({ ...STATUS, health, isPaused: true, found: NOT_INSTALLED });
  assertEquals(paused.split("\n"), [
    "Agent         version 1.2.3, process 7, stopped by a signal; this lets it go on: kill -CONT 7",
    "Panel         p.example/x, last by v2 WebSocket",
    "Last report   accepted 1.2 s ago (3 s)",
    "Panel         q.example",
    "Last report   accepted 1.2 s ago (3 s)",
    "Memory        52.0 MiB",
    "",
  ]);
  const killed = health && { ...health, isRunning: false };
  const text = statusText({ ...STATUS, health: killed, memoryBytes: undefined });
  assertStringIncludes(text, "Panel         p.example/x, last by v2 WebSocket\n");
  assertEquals(/Seal|Probes|Problem/.test(text), false, text);
});

Deno.test("statusText() shows kinds of probes, those of the last minute, and what does not work", () => {
  const panel = {
    ...PANEL,
    kinds: { icmp: 3, http: 2 },
    lastMinute: 42,
    ...{ lost: 7, alwaysLost: 3 },
    lostTargets: [{ kind: "tcp", target: "192.0.2.1:22" } as const],
    shortConnections: 4,
  };
  const problems = [{ part: "ping", text: "no socket", sinceMs: NOW }] as const;
  const health = STATUS.health && { ...STATUS.health, panels: [panel], problems };
  const lines = statusText({ ...STATUS, health }).split("\n");
  assertEquals(
    lines[3],
    "Probes        5 (3 ICMP, 2 HTTP), 42 in the last minute, 7 lost; always lost: 192.0.2.1:22 (tcp), and 2 more",
  );
  assertEquals(lines.slice(6, 8), [
    "Problem       the panel closed the last 4 connections soon after they opened; `doctor` " +
    "names what may be the cause",
    "Problem       ICMP probes don't work: no socket",
  ]);
});

Deno.test("statusText() fits into a narrow terminal", () => {
  const seal = "sealed by the runtime only, since the kernel has no seccomp filters at all";
  const health = STATUS.health && { ...STATUS.health, seal };
  for (const inLanguage of [undefined, inChinese]) {
    const text = statusText({ ...STATUS, health }, { inLanguage, columns: 60 });
    for (const line of text.split("\n")) assert(displayWidth(line) <= 60, line);
    assertEquals(text.replaceAll(/\n {14}/g, " ").includes(seal), true, text);
  }
});

Deno.test("duration() rounds down to one unit", () => {
  const table: [ms: number, text: string][] = [
    [-5, "0.0 s"],
    [1234, "1.2 s"],
    [119_999, "119 s"],
    [120_000, "2 min"],
    [7_199_999, "119 min"],
    [7_200_000, "2 h"],
    [172_799_999, "47 h"],
    [172_800_000, "2 d"],
  ];
  for (const [ms, text] of table) assertEquals(duration(ms), text);
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
  const counts = { kinds: { icmp: 3 }, lastMinute: 42, lost: 7 };
  const error = { text: "Cannot connect", atMs: NOW };
  file.setPanels([{ ...PANEL, ...counts, failures: 2, error }], { now: true });
  using _ = new FakeTime({ now: NOW + 1_000 });
  const context = new FakeContext({ HOME: folder.path });
  assertEquals(await runStatus(config, context), 0);
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
      acceptedAt: new Date(PANEL.acceptedAtMs).toISOString(),
      failures: 2,
      error: { text: "Cannot connect", at: "2024-02-29T12:00:00.000Z" },
      probes: 5,
      probeKinds: { icmp: 3 },
      probesLastMinute: 42,
      probesLostLastMinute: 7,
    }],
    problems: [{ part: "ping", text: "ICMP probes don't work: no socket" }],
    configurationError: mistake,
  });
});

Deno.test("statusText() leaves out what is not known", () => {
  const health = STATUS.health && {
    ...STATUS.health,
    ...{ startedAtMs: undefined, intervalMs: 0, seal: "" },
    panels: [{ ...PANEL, probes: 0, intervalMs: 0 }],
  };
  const text = statusText({ ...STATUS, health, memoryBytes: undefined, found: NOT_INSTALLED });
  assertEquals(text.split("\n"), [
    "Agent         version 1.2.3, process 7",
    "Panel         p.example/x, by v2 WebSocket for 5 min",
    "Last report   accepted 1.2 s ago",
    "Probes        0",
    "",
  ]);
});

inFolder.test("runStatus() tells programs why reports are not accepted, and what it does not know", async (folder) => {
  using file = openHealth(folder.path);
  const flags = ["--install-service-name", "no-such-service", "--json"];
  const shown = async (runtimeFolder: string) => {
    const config = configOf(["status", ...flags], { RUNTIME_DIRECTORY: runtimeFolder });
    const context = new FakeContext({ HOME: folder.path });
    assertEquals(await runStatus(config, context), 1);
    return JSON.parse(context.printed);
  };
  const { healthy, problem, running, panels, ...rest } = await shown(folder.path);
  assertEquals([healthy, problem, running], [false, "no report was accepted yet", true]);
  assertEquals([panels, "intervalSeconds" in rest, "service" in rest], [[], false, false]);
  // Another process may have its id by now.
  Deno.mkdirSync(`${folder.path}/left`);
  Deno.copyFileSync(file.path, `${folder.path}/left/health`);
  const gone = await shown(`${folder.path}/left`);
  assertEquals([gone.running, gone.problem], [false, "the agent exited unexpectedly"]);
  assertEquals("memoryBytes" in gone, false);
});

Deno.test("runStatus() shows an installed service whose agent is not seen", async () => {
  const systemctl = 'case "$*" in *is-enabled*) exit 1 ;; *show*) echo NRestarts=1 ;; esac';
  const journalctl = "echo 'agent: Cannot report: why'";
  await withInstalledService({ systemctl, journalctl }, async ({ name, env }) => {
    const run = async (...args: string[]) => {
      const context = new FakeContext(env);
      const config = configOf(["status", "--install-service-name", name, ...args]);
      assertEquals(await runStatus(config, context), 1);
      return context.printed;
    };
    const user = Deno.uid() === 0 ? "" : "--user ";
    assertEquals(
      await run(),
      `Service       ${name} (systemd) is running, and does not start at boot, but no agent of ` +
        "it is seen; the last error in its log: agent: Cannot report: why\n  →           " +
        `repair that, and then: systemctl ${user}start ${name}.service; its log: journalctl ` +
        `${user}-u ${name} -f\n`,
    );
    const { service, serviceProblem, ...shown } = JSON.parse(await run("--json"));
    assertEquals(shown, { healthy: false, problem: serviceProblem, running: false });
    assertEquals([service.name, service.isActive, service.isEnabled], [name, true, false]);
    assertEquals(service.restarts, 1);
    assertStringIncludes(serviceProblem, "the last error in its log: agent: Cannot report: why");
    assertEquals(service.lastError, "agent: Cannot report: why");
  });
});

Deno.test("runStatus() shows a service that runs another version than its program on the disk", async () => {
  await withInstalledService(
    { systemctl: "", journalctl: "" },
    async ({ name, env, folder }) => {
      Deno.mkdirSync(`${folder}/run`);
      using _agent = openHealth(`${folder}/run`);
      writeExecutable(`${folder}/agent`, `#!/bin/sh\necho '{"version":"1.2.4"}'\n`);
      const context = new FakeContext(env);
      await runStatus(configOf(["status", "--install-service-name", name]), context);
      assertStringIncludes(context.printed, "its program on the disk of version 1.2.4");
    },
  );
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
      const words = `systemctl does not answer, so nothing is known of ${name}`;
      assertStringIncludes(context.printed, words);
    },
  );
});
