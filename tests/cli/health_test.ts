import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { checkHealth, type HealthResult, runHealth } from "../../lib/cli/health.ts";
import { HealthFile } from "../../lib/state/health_file.ts";
import { FakeTime } from "../fake_time.ts";
import { configOf, FakeContext } from "./fake_context.ts";
import { acceptAt } from "../state/accept_at.ts";
import { TempFolder } from "../temp_folder.ts";

const ABOUT = { version: "1.2.3" };

function withFolder(use: (folder: string) => void): void {
  using folder = new TempFolder();
  use(folder.path);
}

/** An agent whose last report was accepted at that time. */
function withAgent(
  acceptedAtMs: number,
  use: (folder: string, file: HealthFile) => void,
  { intervalMs = 3000 }: { intervalMs?: number } = {},
): void {
  withFolder((folder) => {
    const file = HealthFile.open([folder], ABOUT);
    assert(file !== undefined);
    if (acceptedAtMs > 0) acceptAt(file, { intervalMs, atMs: acceptedAtMs });
    try {
      use(folder, file);
    } finally {
      file.close();
    }
  });
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

Deno.test("checkHealth() is content within two intervals and 15 s, and not a moment longer", () => {
  for (
    const { intervalMs, maxAgeMs } of [
      { intervalMs: 500, maxAgeMs: 16_000 },
      { intervalMs: 3_000, maxAgeMs: 21_000 },
      { intervalMs: 10_000, maxAgeMs: 35_000 },
    ]
  ) {
    withAgent(NOW, (folder) => {
      const seconds = maxAgeMs / 1000;
      assertEquals(checkAt(NOW + maxAgeMs, folder), {
        text: `Healthy: a report was accepted ${seconds} s ago\n`,
        isHealthy: true,
      });
      const more = `which is more than ${seconds} s\n`;
      assertEquals(checkAt(NOW + maxAgeMs + 1, folder), {
        text: `Unhealthy: the last report was accepted ${seconds} s ago, ${more}`,
        isHealthy: false,
      });
      assertEquals(
        checkAt(NOW + 42_000, folder).text,
        `Unhealthy: the last report was accepted 42 s ago, ${more}`,
      );
    }, { intervalMs });
  }
});

Deno.test("checkHealth() with --alive asks only whether the agent runs, whatever the panel does", () => {
  for (const acceptedAtMs of [0, NOW]) {
    withAgent(acceptedAtMs, (folder) => {
      const later = NOW + 86_400_000;
      assertEquals(checkAt(later, folder).isHealthy, false);
      assertEquals(checkAt(later, folder, { alive: true }), {
        text: `Healthy: the agent runs (process ${Deno.pid})\n`,
        isHealthy: true,
      });
      assertEquals(
        JSON.parse(checkAt(later, folder, { alive: true, json: true }).text).healthy,
        true,
      );
    });
  }
  withFolder((folder) => {
    const killed = { pid: 7, intervalMs: 3000, ...ABOUT };
    for (const record of [undefined, killed]) {
      if (record) Deno.writeTextFileSync(`${folder}/health`, JSON.stringify(record));
      const { isHealthy, text } = checkAt(NOW, folder, { alive: true });
      assertEquals(isHealthy, false, text);
    }
  });
});

Deno.test("checkHealth() says that there is no agent, or that it was killed", () => {
  withFolder((folder) => {
    assertEquals(checkAt(NOW, folder), {
      text: "Unhealthy: no agent runs here that this user can see\n",
      isHealthy: false,
    });
    Deno.writeTextFileSync(
      `${folder}/health`,
      JSON.stringify({ pid: 7, intervalMs: 3000, ...ABOUT }),
    );
    assertEquals(checkHealth([folder]), {
      text: "Unhealthy: the agent exited unexpectedly\n",
      isHealthy: false,
    });
  });
});

Deno.test("checkHealth() waits for the first accepted report", () => {
  withAgent(0, (folder) => {
    assertEquals(checkHealth([folder]), {
      text: "Unhealthy: no report was accepted yet\n",
      isHealthy: false,
    });
  });
});

Deno.test("checkHealth() is not fooled by a clock that was set back", () => {
  withAgent(NOW, (folder) => {
    assertEquals(checkAt(NOW - 5_000, folder), {
      text: "Healthy: a report was accepted 0.0 s ago\n",
      isHealthy: true,
    });
    assertEquals(checkAt(NOW - 3_600_000, folder), {
      text: "Unhealthy: the clock was set back, and no report was accepted since\n",
      isHealthy: false,
    });
  });
});

Deno.test("checkHealth() tells the same as JSON", () => {
  withAgent(NOW, (folder) => {
    const { text, isHealthy } = checkAt(NOW + 1234, folder, { json: true });
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
  withFolder((folder) => {
    assertEquals(JSON.parse(checkHealth([folder], { json: true }).text), {
      healthy: false,
      reason: "no agent runs here that this user can see",
      running: false,
    });
  });
});

Deno.test("checkHealth() names what does not work while reports are accepted", () => {
  withAgent(NOW, (folder, file) => {
    file.setProblem("state", "No space left on device");
    const { text, isHealthy } = checkAt(NOW + 1234, folder);
    assertEquals(isHealthy, true);
    assertEquals(
      text,
      "Healthy: a report was accepted 1.2 s ago; the month's traffic can't be kept: No space left " +
        "on device\n",
    );
  });
});

Deno.test("checkHealth() says one line and no odd number, whatever the clock says", () => {
  withAgent(NOW, (folder) => {
    const near = fc.integer({ min: NOW - 30_000, max: NOW + 30_000 });
    fc.assert(fc.property(fc.oneof(near, fc.integer({ min: 0, max: 2 * NOW })), (nowMs) => {
      const { text, isHealthy } = checkAt(nowMs, folder);
      assertEquals(isHealthy, Math.abs(nowMs - NOW) <= 21_000);
      assertEquals(/^(Healthy|Unhealthy): [^\n]+\n$/.test(text), true, text);
      assertEquals(/NaN|undefined|Infinity|-\d/.test(text), false, text);
    }));
  });
});

Deno.test("checkHealth() gives the last failure as the reason, for each panel that fails", () => {
  withFolder((folder) => {
    const file = HealthFile.open([folder], ABOUT);
    const error = { text: "Cannot connect", atMs: NOW };
    const failing = { panel: "p.example", sinceMs: NOW, failures: 2, error, probes: 0 };
    try {
      file?.setPanels([failing], { now: true });
      const { text } = checkAt(NOW, folder);
      assertEquals(text, "Unhealthy: no report was accepted yet: Cannot connect\n");
      file?.setPanels([failing, { ...failing, panel: "q", failures: 0 }], { now: false });
      if (file) acceptAt(file, { intervalMs: 1000, atMs: NOW });
      assertEquals(
        checkAt(NOW + 17_001, folder).text.trim().split(": ").slice(-2),
        [
          "p.example",
          "Cannot connect",
        ],
      );
      assertEquals(checkAt(NOW, folder).isHealthy, true);
    } finally {
      file?.close();
    }
  });
});

Deno.test("runHealth() exits with code 0 while reports are accepted, else with 1", () => {
  withAgent(NOW, (folder) => {
    const config = configOf(["health"], { RUNTIME_DIRECTORY: folder });
    const exitAt = (nowMs: number) => {
      using _time = new FakeTime({ now: nowMs });
      const context = new FakeContext();
      return [runHealth(config, context), context.printed];
    };
    assertEquals(exitAt(NOW + 1_000), [0, "Healthy: a report was accepted 1.0 s ago\n"]);
    const late = "Unhealthy: the last report was accepted 60 s ago, which is more than 21 s\n";
    assertEquals(exitAt(NOW + 60_000), [1, late]);
    const asJson = configOf(["health", "--json"], { RUNTIME_DIRECTORY: folder });
    const context = new FakeContext();
    using _time = new FakeTime({ now: NOW + 60_000 });
    assertEquals(runHealth(asJson, context), 1);
    assertEquals(JSON.parse(context.printed).healthy, false);
  });
});

Deno.test("checkHealth() tells programs the seal and each problem, and none of an agent that is gone", () => {
  withAgent(NOW, (folder, file) => {
    file.setSeal("sealed by the runtime");
    file.setProblem("ping", "no socket");
    const { text, isHealthy } = checkAt(NOW, folder, { json: true });
    const { seal, problems } = JSON.parse(text);
    assertEquals([isHealthy, seal], [true, "sealed by the runtime"]);
    assertEquals(problems, [{ part: "ping", text: "ICMP probes don't work: no socket" }]);
    withFolder((left) => {
      Deno.copyFileSync(file.path, `${left}/health`);
      const gone = JSON.parse(checkAt(NOW, left, { json: true }).text);
      assertEquals([gone.running, gone.problems, gone.pid], [false, [], Deno.pid]);
      assertEquals(checkAt(NOW, left).text, "Unhealthy: the agent exited unexpectedly\n");
    });
  });
});

Deno.test("checkHealth() takes the agent of the likeliest folder", () => {
  withAgent(NOW, (likely) => {
    withFolder((other) => {
      Deno.writeTextFileSync(
        `${other}/health`,
        JSON.stringify({ pid: 7, intervalMs: 1, ...ABOUT }),
      );
      using _time = new FakeTime({ now: NOW });
      assertEquals(checkHealth([likely, other]).isHealthy, true);
    });
  });
});
