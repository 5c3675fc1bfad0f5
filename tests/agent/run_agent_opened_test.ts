import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "@std/async/delay";
import { openAgent } from "../../lib/agent/open_agent.ts";
import { runOpened } from "../../lib/agent/run_agent.ts";
import { supportedPlatform } from "../../lib/cli/command.ts";
import { resolveConfig } from "../../lib/config/config.ts";
import { readHealth } from "../../lib/state/health_reader.ts";
import { realTurn } from "../fake_time.ts";
import { realDeadline } from "../real_deadline.ts";
import { TempFolder } from "../temp_folder.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";

const ignore = Deno.build.os !== "linux";
const DISCOVERY_KEY = "d1scovery-k3y";

/** Opens an agent that registers itself at a panel, in this process, which must not be sealed. */
function openRegistering(
  { panel, folder, signal, args, panels = [], env = {} }: {
    panel: { readonly url: string };
    folder: TempFolder;
    signal: AbortSignal;
    args: readonly string[];
    panels?: readonly { readonly endpoint: string; readonly token: string }[];
    env?: Readonly<Record<string, string>>;
  },
) {
  const config = resolveConfig({
    args: ["--auto-discovery", DISCOVERY_KEY, "--ip-services", "off", ...args],
    env: {
      ...env,
      AGENT_ENDPOINT: panel.url,
      AGENT_PANELS: JSON.stringify(panels),
      RUNTIME_DIRECTORY: `${folder.path}/run`,
      AGENT_STATE_DIR: `${folder.path}/state`,
    },
    readText: () => "",
    readMode: () => undefined,
  });
  return openAgent(config, { ...supportedPlatform(), signal, secrets: [] });
}

Deno.test({
  name:
    "runOpened() gives the machine its shell, tells the registration how calls end, hides its token, and waits for the rest",
  ignore,
  async fn() {
    using folder = new TempFolder();
    using panel = await startTestPanel({ discoveryKey: DISCOVERY_KEY });
    const ended = new AbortController();
    const { signal } = ended;
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const args = ["-i", "0.2", "--metrics", `127.0.0.1:${taken.addr.port}`];
    await using agent = await openRegistering({ panel, folder, signal, args });
    const { machine, registration, shell, needs } = agent;
    assertEquals(needs.listensLater, true);
    let seals = 0;
    agent.names.onSealed = () => void seals++;
    const shells: unknown[] = [];
    machine.useShell = (given) => void shells.push(given);
    const outcomes: unknown[] = [];
    if (registration !== undefined) registration.onOutcome = (error) => void outcomes.push(error);
    let isWritten = false;
    const traffic = {
      collectors: [],
      async run(signal: AbortSignal) {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        for (let turn = 0; turn < 10; turn++) await realTurn();
        isWritten = true;
      },
    };

    const running = runOpened({ ...agent, traffic }, undefined);
    await panel.state.until(({ counts }) => counts.reports >= 3);
    ended.abort();
    await running;
    assertEquals(shells, [shell]);
    assertEquals(seals, 1, "the runtime may resolve names from now on");
    assertEquals(outcomes.slice(0, 1), [undefined]);
    // The token is new, so the health file was opened without it.
    assert(registration?.token);
    agent.health?.setProblem("state", `lost ${registration.token}`);
    const problems = readHealth([`${folder.path}/run`])?.problems;
    assertEquals(problems?.find(({ part }) => part === "state")?.text, "lost …");
    assertEquals(isWritten, true);
  },
});

Deno.test({
  name: "runOpened() asks for the public addresses through the proxy",
  ignore,
  async fn() {
    using folder = new TempFolder();
    using panel = await startTestPanel({ discoveryKey: DISCOVERY_KEY });
    using proxy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const ended = new AbortController();
    await using agent = await openRegistering({
      ...{ panel, folder, signal: ended.signal },
      args: ["-i", "0.2", "--ip-services", "http://127.0.0.1:9/"],
      env: {
        HTTP_PROXY: `http://127.0.0.1:${proxy.addr.port}`,
        NO_PROXY: `127.0.0.1:${panel.port}`,
      },
    });
    const running = runOpened(agent, undefined);
    const bytes = new Uint8Array(64);
    let count = 0;
    try {
      using connection = await realDeadline(proxy.accept());
      count = await connection.read(bytes) ?? 0;
    } finally {
      ended.abort();
      await running;
    }
    assertMatch(
      new TextDecoder().decode(bytes.subarray(0, count)),
      /^\w+ (http:\/\/)?127\.0\.0\.1:9\b/,
    );
  },
});

const INTERVAL_MS = 500;

Deno.test({
  name: "runOpened() reports to all panels at the same times, and tells the metrics their interval",
  ignore,
  async fn() {
    using folder = new TempFolder();
    using late = await startTestPanel({ discoveryKey: DISCOVERY_KEY });
    using early = await startTestPanel();
    const ended = new AbortController();
    await using agent = await openRegistering({
      panel: late,
      panels: [{ endpoint: early.url, token: early.token }],
      folder,
      signal: ended.signal,
      args: ["-i", `${INTERVAL_MS / 1000}`, "--metrics", "127.0.0.1:0"],
    });
    const { registration, metrics, needs } = agent;
    assertEquals(needs.listensLater, false);
    assert(registration !== undefined && metrics !== undefined);
    const find = registration.find.bind(registration);
    registration.find = async () => {
      // It is known half an interval after a report to the other.
      await early.state.until(({ counts }) => counts.reports >= 2);
      await delay(INTERVAL_MS / 2);
      return await find();
    };
    const intervals: number[] = [];
    metrics.run = ({ intervalMs }) => {
      intervals.push(intervalMs);
      return Promise.resolve();
    };

    const running = runOpened(agent, undefined);
    await late.state.until(({ counts }) => counts.reports >= 6);
    ended.abort();
    await running;
    assertEquals(intervals, [INTERVAL_MS]);
    const [toLate, toEarly] = [late, early].map(({ state }) => state.reports.map((it) => it.atMs));
    // The first report comes as soon as the panel can be reached.
    const apart = toLate?.slice(1).map((atMs) =>
      Math.min(
        ...toEarly?.map((other) => Math.abs(atMs - other)) ?? [],
      )
    ).sort((a, b) => a - b) ?? [];
    assert((apart[2] ?? Infinity) < INTERVAL_MS / 4, `${apart} ms`);
  },
});
