import { assertEquals, assertRejects } from "@std/assert";
import { runAgent } from "../../lib/agent/run_agent.ts";
import { resolveConfig } from "../../lib/config/config.ts";
import { UsageError } from "../../lib/config/usage_error.ts";
import { startTestPanel } from "../test_panel/test_panel.ts";
import type { Sandbox } from "../../lib/sandbox/sandbox.ts";

const ignore = Deno.build.os !== "linux";

/** Runs an agent in this process, which is not sealed really, until the panel has its first report. */
async function run(
  args: readonly string[],
  sealProcess: (panel: { connections: number; exists: (name: string) => boolean }) => Sandbox,
): Promise<void> {
  const panel = await startTestPanel({ port: 0, token: "t0ken" });
  const folder = Deno.makeTempDirSync({ prefix: "run-agent-" });
  const stop = new AbortController();
  const exists = (name: string) => {
    try {
      return Deno.statSync(`${folder}/${name}`).isFile;
    } catch {
      return false;
    }
  };
  try {
    const config = resolveConfig({
      args: [
        ...["-e", panel.url, "-t", "t0ken", "--ip-services", "off", "--log-level", "error"],
        ...["--month-rotate", "1", "--state-dir", `${folder}/state`, ...args],
      ],
      env: { RUNTIME_DIRECTORY: `${folder}/run` },
      readText: (path) => Deno.readTextFileSync(path),
      readMode: () => undefined,
    });
    const { os, arch } = Deno.build;
    const running = runAgent(config, {
      os,
      arch,
      signal: stop.signal,
      onToken() {},
      sealProcess: () => sealProcess({ connections: panel.state.counts.connections, exists }),
    });
    const reported = panel.state.until(({ counts }) => counts.reports > 0);
    await Promise.race([reported, running]);
    stop.abort();
    await running;
  } finally {
    await panel.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test({
  name: "runAgent() seals the process when its files are open, and before it dials the panel",
  ignore,
  async fn() {
    const seen: unknown[] = [];
    await run([], ({ connections, exists }) => {
      seen.push({
        connections,
        state: exists("state/month.state"),
        lock: exists("state/lock"),
        health: exists("run/health"),
      });
      return { kernelError: undefined };
    });
    assertEquals(seen, [{ connections: 0, state: true, lock: true, health: true }]);
  },
});

Deno.test({
  name: "runAgent() never dials a panel when --require-seal can't be met",
  ignore,
  async fn() {
    let isSealed = false;
    await assertRejects(
      () =>
        run(["--require-seal"], () => {
          isSealed = true;
          return { kernelError: "there are no filters" };
        }),
      UsageError,
      "Cannot seal this process as --require-seal demands: there are no filters",
    );
    assertEquals(isSealed, true);
  },
});

Deno.test({
  name: "runAgent() does not seal a process that runs the panel's commands",
  ignore,
  async fn() {
    let seals = 0;
    await run(["--enable-remote-control"], () => {
      seals++;
      return { kernelError: undefined };
    });
    assertEquals(seals, 0);
  },
});
