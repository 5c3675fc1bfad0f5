import { assertEquals } from "@std/assert";
import { agentProblems, seenProblem, withLostTargets } from "../../lib/doctor/agent_problems.ts";
import { replaced } from "../replaced.ts";
import { type PanelHealth, PROBLEM_PARTS, type ProblemPart } from "../../lib/state/health_file.ts";
import type { Health } from "../../lib/state/health_reader.ts";

const PANEL: PanelHealth = { panel: "p.example", sinceMs: 0, failures: 0, probes: 0 };

function healthOf(change: Partial<Health> = {}): Health {
  return {
    ...{ pid: 7, version: "1.2.3", intervalMs: 3000, acceptedAtMs: 1, startedAtMs: 1 },
    ...{ panels: [PANEL], problems: [], seal: "", isRunning: true },
    ...change,
  };
}

Deno.test("agentProblems() say of each part what it can't do", () => {
  const parts: Readonly<Record<ProblemPart, string>> = {
    registration: "this machine can't be registered: why",
    state: "the month's traffic can't be kept: why",
    ping: "ICMP probes don't work: why",
    metrics: "metrics can't be served: why",
    gpu: "graphics cards can't be measured: why",
    remote: "remote control is off",
    authorities: "some certificates can't be loaded: why",
    disk: "no disk space is counted: why",
    network: "no traffic is counted: why",
    terminal: "terminals don't work: why",
  };
  for (const part of PROBLEM_PARTS.filter((it) => it !== "remote")) {
    const health = healthOf({ problems: [{ part, text: "why", sinceMs: 0 }] });
    assertEquals(agentProblems(health).map(({ text }) => text), [parts[part]]);
    assertEquals(seenProblem(health, part), parts[part]);
    assertEquals(seenProblem(health, part === "gpu" ? "ping" : "gpu"), undefined);
  }
  assertEquals([agentProblems(healthOf()), seenProblem(undefined, "ping")], [[], undefined]);
});

Deno.test("agentProblems() name connections that are closed soon, from the third in a row on", () => {
  const of = (shortConnections: number | undefined) =>
    agentProblems(healthOf({ panels: [{ ...PANEL, shortConnections }] })).map(({ text }) => text);
  assertEquals([of(undefined), of(2)], [[], []]);
  const closed = "the last 3 WebSockets were closed after only 0.4 s to 9.0 s";
  const closing = { ...PANEL, shortConnections: 3, shortestMs: 400, longestMs: 9_000 };
  const [one] = agentProblems(healthOf({ panels: [closing] }));
  assertEquals([one?.part, one?.text, one?.action?.slice(0, 15)], [
    "connections",
    closed,
    "stop this agent",
  ]);
  const problems = [{ part: "ping", text: "why", sinceMs: 0 }] as const;
  const several = agentProblems(
    healthOf({ panels: [PANEL, { ...closing, panel: "q.example" }], problems }),
  );
  assertEquals(several.map(({ text }) => text), [
    `q.example: ${closed}`,
    "ICMP probes don't work: why",
  ]);
});

Deno.test("agentProblems() give the agent's user the folder of the state, and not the one above", () => {
  const text = "Cannot use the folder /var/lib/x: Permission denied";
  const problems = [{ part: "state", text, sinceMs: 0 }] as const;
  const [problem] = agentProblems(healthOf({ problems, stateFolder: "/var/lib/x" }));
  assertEquals(
    problem?.action,
    "if /var/lib/x holds only the agent's files: chown -R USER /var/lib/x",
  );
});

Deno.test("agentProblems() tell what to do about a ping without rights", () => {
  const text = '"ping" may not open its socket: run the agent as root, or so (not permitted)';
  const problems = [{ part: "ping", text, sinceMs: 0 }] as const;
  const [problem] = agentProblems(healthOf({ problems }));
  assertEquals(problem?.text, 'ICMP probes don\'t work: "ping" may not open its socket');
  assertEquals(problem?.action?.slice(0, 21), "run the agent as root");
});

Deno.test("agentProblems() say that there is no ping only where there is none", () => {
  const { statSync } = Deno;
  const missing = 'there is no "ping" command: install it';
  for (const isThere of [true, false]) {
    using _ = replaced(Deno, {
      statSync: (path) => {
        if (!String(path).endsWith("/ping")) return statSync(path);
        if (isThere) return statSync(Deno.execPath());
        throw new Deno.errors.NotFound();
      },
    });
    const [problem] = agentProblems(
      healthOf({ problems: [{ part: "ping", text: missing, sinceMs: 0 }] }),
    );
    assertEquals(problem?.text.includes("/ping exists but can't be started"), isThere);
    if (isThere) continue;
    assertEquals(problem?.text, 'ICMP probes don\'t work: there is no "ping" command');
    assertEquals(problem?.action?.slice(0, 21), "install iputils-ping ");
  }
});

Deno.test("withLostTargets() names targets of which each result is lost", () => {
  const lostTargets = [{ kind: "tcp", target: "192.0.2.1→:22" } as const];
  assertEquals(withLostTargets("5", [PANEL]), "5");
  const text = withLostTargets("5", [PANEL, { ...PANEL, lostTargets }]);
  assertEquals(text, "5; always lost: 192.0.2.1->:22 (tcp)");
});
