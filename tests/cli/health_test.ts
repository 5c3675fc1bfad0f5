import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { checkHealth } from "../../lib/cli/health.ts";
import { HealthFile } from "../../lib/state/health_file.ts";

const ABOUT = { version: "1.2.3" };

function withFolder(use: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "health-command-" });
  try {
    use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** An agent whose last report was accepted at that time. */
function withAgent(
  acceptedAtMs: number,
  use: (folder: string) => void,
  { intervalMs = 3000 }: { intervalMs?: number } = {},
): void {
  withFolder((folder) => {
    const file = HealthFile.open([folder], ABOUT);
    if (acceptedAtMs > 0) file?.accepted(intervalMs, { atMs: acceptedAtMs });
    try {
      use(folder);
    } finally {
      file?.close();
    }
  });
}

const NOW = Date.UTC(2024, 1, 29, 12);

Deno.test("checkHealth() is content within three intervals or 15 s, and not a moment longer", () => {
  for (
    const { intervalMs, maxAgeMs } of [
      { intervalMs: 500, maxAgeMs: 15_000 },
      { intervalMs: 3_000, maxAgeMs: 15_000 },
      { intervalMs: 10_000, maxAgeMs: 30_000 },
    ]
  ) {
    withAgent(NOW, (folder) => {
      const seconds = maxAgeMs / 1000;
      assertEquals(checkHealth([folder], { nowMs: NOW + maxAgeMs }), {
        text: `Healthy: a report was accepted ${seconds} s ago\n`,
        isHealthy: true,
      });
      const more = `which is more than ${seconds} s\n`;
      assertEquals(checkHealth([folder], { nowMs: NOW + maxAgeMs + 1 }), {
        text: `Unhealthy: the last report was accepted ${seconds} s ago, ${more}`,
        isHealthy: false,
      });
      assertEquals(
        checkHealth([folder], { nowMs: NOW + 42_000 }).text,
        `Unhealthy: the last report was accepted 42 s ago, ${more}`,
      );
    }, { intervalMs });
  }
});

Deno.test("checkHealth() says that there is no agent, or that it was killed", () => {
  withFolder((folder) => {
    assertEquals(checkHealth([folder], { nowMs: NOW }), {
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
    assertEquals(checkHealth([folder], { nowMs: NOW - 500 }).isHealthy, true);
    assertEquals(checkHealth([folder], { nowMs: NOW - 3_600_000 }), {
      text: "Unhealthy: the clock was set back, and no report was accepted since\n",
      isHealthy: false,
    });
  });
});

Deno.test("checkHealth() tells the same as JSON", () => {
  withAgent(NOW, (folder) => {
    const { text, isHealthy } = checkHealth([folder], { json: true, nowMs: NOW + 1234 });
    assertEquals(isHealthy, true);
    assertEquals(JSON.parse(text), {
      healthy: true,
      reason: "a report was accepted 1.2 s ago",
      running: true,
      pid: Deno.pid,
      version: "1.2.3",
      intervalSeconds: 3,
      acceptedAt: "2024-02-29T12:00:00.000Z",
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

Deno.test("checkHealth() says one line and no odd number, whatever the clock says", () => {
  withAgent(NOW, (folder) => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 2 * NOW }), (nowMs) => {
      const { text, isHealthy } = checkHealth([folder], { nowMs });
      assertEquals(isHealthy, Math.abs(nowMs - NOW) <= 9000);
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
      const { text } = checkHealth([folder], { nowMs: NOW });
      assertEquals(text, "Unhealthy: no report was accepted yet: Cannot connect\n");
      file?.setPanels([failing, { ...failing, panel: "q", failures: 0 }], { now: false });
      file?.accepted(1000, { atMs: NOW });
      assertEquals(
        checkHealth([folder], { nowMs: NOW + 15_001 }).text.trim().split(": ").slice(-2),
        [
          "p.example",
          "Cannot connect",
        ],
      );
      assertEquals(checkHealth([folder], { nowMs: NOW }).isHealthy, true);
    } finally {
      file?.close();
    }
  });
});
