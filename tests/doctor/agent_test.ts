import { assert, assertEquals } from "@std/assert";
import { judgeAgent, judgeConnections, judgeProbes, withReports } from "../../lib/doctor/agent.ts";
import type { Check } from "../../lib/doctor/check.ts";
import type { PanelHealth } from "../../lib/state/health_file.ts";
import type { Health } from "../../lib/state/health_reader.ts";
import { same } from "../cases.ts";
import { configOf } from "../cli/fake_context.ts";
import { healthOf } from "./seen_health.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { onLinux } from "../only_on.ts";
import { testsWith } from "../tests_with.ts";
import { NOT_INSTALLED, shown, TOKEN } from "./way_of.ts";

const NOW = Date.parse("2026-03-01T00:00:00Z");
const CONFIG = configOf(["doctor", "-e", "https://panel.example", "-t", TOKEN]);
const PANEL: PanelHealth = {
  ...{ panel: "panel.example", transport: "v2 WebSocket", sinceMs: NOW - 300_000 },
  ...{ acceptedAtMs: NOW - 2_000, failures: 0, probes: 0 },
};
/** An agent whose only panel is so. */
const running = (change: Partial<PanelHealth> = {}, of: Partial<Health> = {}) =>
  healthOf({
    ...{ pid: 4_194_304, startedAtMs: NOW - 300_000, acceptedAtMs: NOW - 2_000 },
    ...{ panels: [{ ...PANEL, ...change }], ...of },
  });

const timed = testsWith(() => new FakeTime({ now: NOW }));

timed.test("the running agent is judged by its reports, and by what it has seen", () =>
  same(
    ([health, config = CONFIG]: readonly [Health | undefined, typeof CONFIG?]) =>
      shown(judgeAgent(config, health, NOT_INSTALLED)),
    [
      [[undefined], "skipped: no agent is seen to run here"],
      [[running()], "ok: version 1.2.3, process 4194304: a report was accepted 2.0 s ago"],
      [
        [running({ error: { text: "no such name: panel.example", atMs: NOW - 5_000 } })],
        "ok: version 1.2.3, process 4194304: a report was accepted 2.0 s ago; a failure 5.0 s ago: no such name: panel.example",
      ],
      [
        [running({ panel: "other.example" })],
        "skipped: process 4194304 reports to other.example, and not to this panel",
      ],
      [
        [
          running({}, { configDigest: "a" }),
          {
            ...CONFIG,
            isConfigInstalled: true,
            configPath: "/etc/x/config.json",
            configDigest: "b",
          },
        ],
        "warning: version 1.2.3, process 4194304: a report was accepted 2.0 s ago; /etc/x/config.json was changed after the agent read it → apply the new configuration: komari-agent-deno install",
      ],
      [
        [
          running({ failures: 3, error: { text: "no such name: x", atMs: NOW } }, {
            acceptedAtMs: NOW - 60_000,
          }),
        ],
        "failed: version 1.2.3, process 4194304: the last report was accepted 60 s ago, which is more than 21 s: no such name: x → if all checks of the panel are fine, see whether it reports in a minute: komari-agent-deno status → see in its log what it tries",
      ],
      // What the agent itself has met is advised by it.
      [
        [
          running({ failures: 3, error: { text: "why", action: "do it", atMs: NOW } }, {
            acceptedAtMs: undefined,
          }),
        ],
        "failed: version 1.2.3, process 4194304: no report was accepted yet: why → do it → see in its log what it tries",
      ],
      [
        [running({}, { problems: [{ part: "gpu", text: "why", sinceMs: 0 }] })],
        "failed: version 1.2.3, process 4194304: a report was accepted 2.0 s ago; graphics cards can't be measured: why → ask the driver itself: nvidia-smi; or leave out --gpu",
      ],
    ],
  ));

onLinux.test("doctor warns of an agent that has its token on the command line", async () => {
  const lines: readonly (readonly [args: string, isSeen: boolean])[] = [
    ["-t s3cret", true],
    ["-ts3cret", true],
    ["--token=s3cret", true],
    ["--token s3cret", true],
    ["--token-file FILE", false],
    ["--token-in header", false],
    ["--trace -e https://h/-t", false],
  ];
  for (const [line, isSeen] of lines) {
    const args = ["-c", "sleep 100; :", "sh", ...line.split(" ")];
    const child = new Deno.Command("sh", { args }).spawn();
    try {
      // It is empty until the program runs.
      while (Deno.readTextFileSync(`/proc/${child.pid}/cmdline`) === "") await realTurn();
      const health = healthOf({ pid: child.pid, acceptedAtMs: Date.now() });
      const { status, text } = judgeAgent(configOf(["doctor"]), health, NOT_INSTALLED);
      assertEquals([status, text.includes("with -t")], [isSeen ? "warning" : "ok", isSeen], line);
      assert(!text.includes("s3cret"));
    } finally {
      child.kill("SIGKILL");
      await child.status;
    }
  }
});

timed.test("what fails in this shell alone does not stop reports that are accepted; a refused token does", () => {
  const check = (id: string): Check => ({
    ...{ id, title: id, status: "failed", text: "why", advice: [], ms: 1 },
  });
  const judged = (health: Health | undefined) =>
    withReports([check("connect"), check("token")], {
      ...{ config: CONFIG, health, panel: "panel.example" },
    }).map(shown);
  assertEquals(judged(undefined), ["failed: why", "failed: why"]);
  assertEquals(judged(running({ panel: "other.example" })), ["failed: why", "failed: why"]);
  assertEquals(judged(running({ transport: undefined })), ["failed: why", "failed: why"]);
  assertEquals(judged(running()), [
    "warning: why; only this shell is affected, and the running agent's reports are accepted",
    "failed: why; the running agent's reports are accepted all the same by a WebSocket that was opened 5 min ago, since the panel looks at the token of a new one alone",
  ]);
  assertEquals(
    judged(running({ transport: "v2 POST" }))[1],
    "failed: why; the running agent's reports are accepted all the same",
  );
});

Deno.test("WebSockets that do not last have their cause", () =>
  same((health: Health | undefined) => shown(judgeConnections(health)).split(" → ")[0], [
    [undefined, "skipped: no agent is seen to run here"],
    [running({ shortConnections: 2 }), "ok: none is closed soon after it opened"],
    [
      running({ shortConnections: 3, shortestMs: 400, longestMs: 9_000 }),
      "failed: the last 3 WebSockets were closed after only 0.4 s to 9.0 s",
    ],
  ]));

Deno.test("probes are judged by the last minute, and targets that are always lost are named", () => {
  const of = (panel: Partial<PanelHealth>, problem?: string) =>
    shown(judgeProbes(
      CONFIG,
      running(panel, {
        problems: problem === undefined ? [] : [{ part: "ping", text: problem, sinceMs: 0 }],
      }),
    ));
  const lost = (kind: "tcp" | "icmp", target: string) => ({ lostTargets: [{ kind, target }] });
  assertEquals(of({}), "skipped: none ran in the last minute");
  assertEquals(of({ lastMinute: 9, lost: 1 }), "ok: 9 in the last minute, 1 lost");
  assertEquals(
    of({ lastMinute: 9, lost: 3, ...lost("tcp", "192.0.2.1:22") }),
    "warning: 9 in the last minute, 3 lost; always lost: 192.0.2.1:22 (tcp) → see whether a target answers this machine: ping -c 3 HOST; nc -vz HOST PORT; curl -v URL → see whether a firewall here drops it: nft list ruleset || iptables-save → see in its log why each is lost: --log-level debug; this machine's own addresses need --allow-local-probes",
  );
  assertEquals(
    of({ lastMinute: 2, lost: 2, ...lost("icmp", "192.0.2.1") }, "no socket"),
    "warning: 2 in the last minute, 2 lost; always lost: 192.0.2.1 (icmp): ICMP probes don't work: no socket",
  );
});
