/**
 * The start of the agent: opens everything, seals the process, and then reports to its panels.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import type { Config } from "../config/config.ts";
import { panelName, panelNames } from "../config/panels.ts";
import { UsageError } from "../config/usage_error.ts";
import { Programs } from "../host/programs.ts";
import { describeError, getLogger, withPanel } from "../log/log.ts";
import { Rates } from "../metrics/rates.ts";
import { PanelConnection } from "../panel/panel_connection.ts";
import type { NodeRegistration } from "../panel/registration.ts";
import { RemoteControl } from "../remote/remote_control.ts";
import { describeSeal, type Seal, sealGap, sealProcess } from "../sandbox/seal.ts";
import { Agent } from "./agent.ts";
import {
  openAgent,
  type OpenedAgent,
  panelConfigs,
  type RunOptions,
  shortestIntervalMs,
} from "./open_agent.ts";
import { PanelProbes } from "./panel_probes.ts";
import { ReportTimer } from "./report_timer.ts";
import { isSealable } from "./shell_names.ts";
import { logCountedParts, logPanel, logSeal, logTerminals } from "./startup_log.ts";

/**
 * Reports this machine to its panels until `signal` aborts.
 *
 * Everything that needs files or programs is opened first. The process is sealed then, unless remote
 * control is on, and not before that is anything read from the network.
 *
 * @throws {UsageError} When the process can't be sealed as `--require-seal` demands.
 * @throws {Error} When the helper shell has ended.
 */
export async function runAgent(config: Config, options: RunOptions): Promise<void> {
  requireSealable(config);
  const lost = new AbortController();
  const signal = AbortSignal.any([options.signal, lost.signal]);
  const agent = await openAgent(config, { ...options, signal });
  await using _ = agent;
  // A sealed process can't start another one, and without it has no names and no pings.
  agent.shell?.ended.then(() =>
    lost.abort(
      new Error(
        "Cannot go on: the helper shell has ended \u2192 start the agent again, if no service does",
      ),
    )
  );
  // The first snapshot opens the files that later ones read, and sees what they see.
  const lookAtMachine = async () => {
    await agent.machine.refresh?.();
    agent.sampler.sample();
  };
  if (isSealable(config)) await runOpened(agent, await sealProcess(agent.needs, lookAtMachine));
  else {
    await lookAtMachine();
    await runOpened(agent, undefined);
  }
  lost.signal.throwIfAborted();
}

/**
 * Reports to all panels until the agent's signal aborts; `seal` is absent when the process is not
 * sealed.
 *
 * @throws {UsageError} When the seal is not what `--require-seal` demands.
 */
export async function runOpened(
  agent: OpenedAgent,
  seal: Seal | undefined,
): Promise<void> {
  const { config, machine, sampler, registration, traffic, metrics, monitors, health } = agent;
  const { shell, releaseMemory } = agent;
  // 4. The rest of the seal: look-ups below /proc and /sys go through the helper shell now.
  requireSealed(config, seal);
  const sealText = seal === undefined ? "not sealed: remote control is on" : describeSeal(seal);
  health?.setSeal(sealText);
  machine.useShell(shell);
  agent.names.onSealed();

  // 5. The network.
  const ended = new AbortController();
  const signal = AbortSignal.any([agent.signal, ended.signal]);
  const background = [
    metrics?.run({
      ...{ machine, sampler, monitors, releaseMemory, seal: sealText, signal },
      intervalMs: shortestIntervalMs(config),
    }),
    traffic?.run(signal),
  ];
  const logStart = () => {
    logSeal(seal);
    logCountedParts(machine, config, health);
    if (!isSealable(config)) logTerminals(new Programs(), health);
  };
  try {
    if (registration !== undefined) logStart();
    const reporting = reportToAll(agent);
    // The first report is on its way, and does not wait for the log.
    if (registration === undefined) logStart();
    releaseRegularly(releaseMemory, { signal });
    await reporting;
  } finally {
    ended.abort();
    await Promise.all(background);
  }
}

/** One of the panels that the agent reports to. */
interface ReportedPanel {
  /** Host and path of its address; numbered for another node at the same panel. */
  readonly name: string;
  readonly config: Config;
  /** Present where its node may have registered itself, and get another token later. */
  readonly registration: NodeRegistration | undefined;
}

function reportedPanels({ config, registration }: OpenedAgent): ReportedPanel[] {
  const configs = panelConfigs(config);
  const names = panelNames(configs);
  return configs.map((panelConfig, index) => ({
    name: names[index] ?? panelName(panelConfig),
    config: panelConfig,
    registration: index === 0 ? registration : undefined,
  }));
}

/** Reports to each panel. An error that ends the reports to one does not end those to the others. */
async function reportToAll(agent: OpenedAgent): Promise<void> {
  const panels = reportedPanels(agent);
  const [only] = panels;
  if (only !== undefined && panels.length === 1) return await reportTo(only, agent);
  const phaseMs = performance.now();
  await Promise.all(panels.map((panel) =>
    withPanel(panel.name, async () => {
      try {
        await reportTo(panel, agent, { phaseMs });
      } catch (error) {
        if (agent.signal.aborted) return;
        getLogger("agent").error("Reports to this panel have ended: {error}", {
          error: describeError(error),
        });
      }
    })
  ));
}

/** Reports to one panel; `phaseMs` is a time at which reports to all of several panels are due. */
async function reportTo(
  { name, config, registration }: ReportedPanel,
  agent: OpenedAgent,
  { phaseMs }: { phaseMs?: number } = {},
): Promise<void> {
  const { machine, sampler, addresses, monitors, metrics, shell, resolver, health, signal } = agent;
  if (registration !== undefined && !await registration.find()) return;
  const rates = new Rates(sampler.latest?.snapshot);
  const monitor = monitors.open(name);
  const observers = [monitor, metrics?.observe(name, rates), registration];
  const connection = new PanelConnection(
    registration ?? config,
    config,
    observers.filter((observer) => observer !== undefined),
    resolver,
  );
  const { allowLocalProbes: allowLocal, remoteControl } = config;
  const reporting = new Agent(connection, {
    config,
    sampler,
    rates,
    machine,
    addresses,
    timer: new ReportTimer(config.intervalSeconds, phaseMs),
    signal,
    probes: new PanelProbes(connection, { shell, resolver, machine, health, allowLocal }),
    control: new RemoteControl(
      remoteControl ? new Programs() : undefined,
      connection,
      config,
      health,
    ),
  }).run();
  if (connection.proxy !== undefined) monitor.setProxy(connection.proxy);
  logPanel(config, connection.proxy);
  await reporting;
}

/**
 * Times of the first releases. At the first, what the start needs has been done, and nothing was called
 * often enough to be compiled: the engine drops machine code that refers to objects it collects, and
 * compiles some of it never again. At the third it has seen twice what was not called again, and drops
 * the code of the start: 0.5 MB. At the last, what was called once a second has been compiled: 0.4 MB of
 * what that has left. Later ones cost a third of a report for a minute, in which that is compiled again.
 */
const FIRST_RELEASES_MS = [4_000, 8_000, 12_000, 60_000];
/** At one report a second, 4 MB of garbage, and less than 0.1 s of CPU time to collect it. */
const RELEASE_INTERVAL_MS = 30 * 60_000;

/** Calls `release` four times after the start, and then regularly until the signal aborts. */
export async function releaseRegularly(
  release: () => void,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  try {
    const startMs = performance.now();
    for (const ms of FIRST_RELEASES_MS) {
      await delay(startMs + ms - performance.now(), { signal });
      release();
    }
    for (;;) {
      await delay(RELEASE_INTERVAL_MS, { signal });
      release();
    }
  } catch {
    // The agent ends.
  }
}

/** @throws {UsageError} When `--require-seal` was given and nothing can be sealed. */
function requireSealable(config: Config): void {
  if (config.requireSeal && !isSealable(config)) {
    throw new UsageError(
      "Cannot use --require-seal together with --enable-remote-control: a sealed process starts " +
        "no programs",
    );
  }
}

/** @throws {UsageError} When the kernel does not enforce all of the seal and `--require-seal` was given. */
function requireSealed(config: Config, seal: Seal | undefined): void {
  const gap = seal && sealGap(seal);
  if (config.requireSeal && gap !== undefined) {
    throw new UsageError(`Cannot seal this process as --require-seal demands: ${gap}`);
  }
}
