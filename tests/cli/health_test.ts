import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { checkHealth, type HealthResult, runHealth } from "../../lib/cli/health.ts";
import { OTHER_COMMANDS } from "../../lib/cli/other_commands.ts";
import type { HealthFile } from "../../lib/state/health_file.ts";
import { FakeTime } from "../fake_time.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { acceptAt } from "../state/accept_at.ts";
import { ABOUT, openHealth } from "../state/health_folder.ts";
import { withInstalledService } from "../service/installed_service.ts";
import { inFolder, TempFolder } from "../temp_folder.ts";
import { testsWith } from "../tests_with.ts";

/** An agent whose last report was accepted at that time, or who has had none accepted. */
class RunningAgent extends TempFolder {
  readonly file: HealthFile = openHealth(this.path);

  constructor(acceptedAtMs: number | undefined, { intervalMs = 3000 } = {}) {
    super();
    if (acceptedAtMs !== undefined) acceptAt(this.file, { intervalMs, atMs: acceptedAtMs });
  }

  override [Symbol.dispose](): void {
    this.file.close();
    super[Symbol.dispose]();
  }
}

/** Leaves what an agent has left that was killed. */
function leaveKilled(folder: string, intervalMs = 3000): void {
  Deno.writeTextFileSync(`${folder}/health`, JSON.stringify({ pid: 7, intervalMs, ...ABOUT }));
}

const NOW = Date.UTC(2024, 1, 29, 12);

function checkAt(
  nowMs: number,
  folder: string,
  options: { json?: boolean; alive?: boolean } = {},
): HealthResult {
  using _time = new FakeTime({ now: nowMs });
  return checkHealth([folder], options);
}

const healthy = (text: string) => ({ text: `Healthy: ${text}\n`, isHealthy: true });
const unhealthy = (text: string) => ({ text: `Unhealthy: ${text}\n`, isHealthy: false });

Deno.test("checkHealth() is content within two intervals and 15 s, and not a moment longer", () => {
  const table = [[500, 16_000], [3_000, 21_000], [10_000, 35_000]] as const;
  for (const [intervalMs, maxAgeMs] of table) {
    using agent = new RunningAgent(NOW, { intervalMs });
    const seconds = maxAgeMs / 1000;
    const shown = checkAt(NOW + maxAgeMs, agent.path);
    assertEquals(shown, healthy(`a report was accepted ${seconds} s ago`));
    const more = `which is more than ${seconds} s\n`;
    assertEquals(checkAt(NOW + maxAgeMs + 1, agent.path), {
      text: `Unhealthy: the last report was accepted ${seconds} s ago, ${more}`,
      isHealthy: false,
    });
    const expected = `Unhealthy: the last report was accepted 42 s ago, ${more}`;
    assertEquals(checkAt(NOW + 42_000, agent.path).text, expected);
  }
});

Deno.test("checkHealth() with --alive asks only whether the agent runs, whatever the panel does", () => {
  for (const acceptedAtMs of [undefined, NOW]) {
    using agent = new RunningAgent(acceptedAtMs);
    const later = NOW + 86_400_000;
    assertEquals(checkAt(later, agent.path).isHealthy, false);
    const shown = checkAt(later, agent.path, { alive: true });
    assertEquals(shown, healthy(`the agent runs (process ${Deno.pid})`));
    const { text } = checkAt(later, agent.path, { alive: true, json: true });
    assertEquals(JSON.parse(text).healthy, true);
  }
  using folder = new TempFolder();
  for (const leave of [() => {}, leaveKilled]) {
    leave(folder.path);
    const { isHealthy, text } = checkAt(NOW, folder.path, { alive: true });
    assertEquals(isHealthy, false, text);
  }
});

inFolder.test("checkHealth() says that there is no agent", ({ path }) => {
  const words = "no agent of this user runs here, and none is installed as a service";
  assertEquals(checkAt(NOW, path), unhealthy(words));
});

const withAgent = testsWith(() => new RunningAgent(NOW));

withAgent.test("checkHealth() is not fooled by a clock that was set back", (agent) => {
  assertEquals(checkAt(NOW - 5_000, agent.path), healthy("a report was accepted 0.0 s ago"));
  const shown = checkAt(NOW - 3_600_000, agent.path);
  assertEquals(shown, unhealthy("the clock was set back, and no report was accepted since"));
});

withAgent.test("checkHealth() tells the same as JSON", (agent) => {
  const { text, isHealthy } = checkAt(NOW + 1234, agent.path, { json: true });
  assertEquals(isHealthy, true);
  assertEquals(JSON.parse(text), {
    healthy: true,
    reason: "a report was accepted 1.2 s ago",
    running: true,
    pid: Deno.pid,
    version: "1.2.3",
    intervalSeconds: 3,
    acceptedAt: "2024-02-29T12:00:00.000Z",
    problems: [],
  });
});

withAgent.test("checkHealth() says one line and no odd number, whatever the clock says", (agent) => {
  const near = fc.integer({ min: NOW - 30_000, max: NOW + 30_000 });
  fc.assert(fc.property(fc.oneof(near, fc.integer({ min: 0, max: 2 * NOW })), (nowMs) => {
    const { text, isHealthy } = checkAt(nowMs, agent.path);
    assertEquals(isHealthy, Math.abs(nowMs - NOW) <= 21_000);
    assertEquals(/^(Healthy|Unhealthy): [^\n]+\n$/.test(text), true, text);
    assertEquals(/NaN|undefined|Infinity|-\d/.test(text), false, text);
  }));
});

Deno.test("checkHealth() gives the last failure as the reason, for each panel that fails", () => {
  using agent = new RunningAgent(undefined);
  const error = { text: "Cannot connect", atMs: NOW };
  const failing = { panel: "p.example", sinceMs: NOW, failures: 2, error, probes: 0 };
  agent.file.setPanels([failing], { now: true });
  const { text } = checkAt(NOW, agent.path);
  assertEquals(text, "Unhealthy: no report was accepted yet: Cannot connect\n");
  agent.file.setPanels([failing, { ...failing, panel: "q", failures: 0 }], { now: false });
  acceptAt(agent.file, { intervalMs: 1000, atMs: NOW });
  const late = checkAt(NOW + 17_001, agent.path).text.trim();
  assertEquals(late.split(": ").slice(-2), ["p.example", "Cannot connect"]);
  assertEquals(checkAt(NOW, agent.path).isHealthy, true);
});

Deno.test("runHealth() says of an agent that is not seen what the service manager says", async () => {
  const systemctl = 'case "$*" in *is-active*) exit 3 ;; esac';
  await withInstalledService({ systemctl, journalctl: "" }, async ({ name, env }) => {
    const context = new FakeContext(env);
    const config = configOf(["health", "--install-service-name", name]);
    assertEquals(await runHealth(config, context, OTHER_COMMANDS.unseenService), 1);
    const words = "is not running, and starts at boot: it was stopped";
    assertEquals(context.printed, `Unhealthy: ${name} (systemd) ${words}\n`);
  });
});

withAgent.test("checkHealth() names the seal and each problem, and none of an agent that is gone", (agent) => {
  agent.file.setSeal("sealed by the runtime");
  agent.file.setProblem("ping", "no socket");
  const shown = healthy("a report was accepted 0.0 s ago; ICMP probes don't work: no socket");
  assertEquals(checkAt(NOW, agent.path), shown);
  const { text, isHealthy } = checkAt(NOW, agent.path, { json: true });
  const { seal, problems } = JSON.parse(text);
  assertEquals([isHealthy, seal], [true, "sealed by the runtime"]);
  assertEquals(problems, [{ part: "ping", text: "ICMP probes don't work: no socket" }]);
  using left = new TempFolder();
  Deno.copyFileSync(agent.file.path, `${left.path}/health`);
  const gone = JSON.parse(checkAt(NOW, left.path, { json: true }).text);
  assertEquals([gone.running, gone.problems, gone.pid], [false, [], Deno.pid]);
  assertEquals(checkAt(NOW, left.path).text, "Unhealthy: the agent exited unexpectedly\n");
});
