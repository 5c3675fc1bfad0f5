/**
 * Puts the agent together: opens everything, seals the process, and then talks to its panels.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import type { Config } from "../config/config.ts";
import { INTERVAL_SECONDS } from "../config/parsers.ts";
import { UsageError } from "../config/usage_error.ts";
import { openMemoryRelease } from "../host/memory_release.ts";
import { Programs } from "../host/programs.ts";
import {
  describeSandbox,
  type Sandbox,
  sealProcess as sealThisProcess,
} from "../sandbox/sandbox.ts";
import { describeError, getLogger, withPanel } from "../log/log.ts";
import { Sampler, shareSnapshots } from "../metrics/snapshot.ts";
import { openMachine, openPublicAddresses, type Platform } from "../metrics/open_machine.ts";
import type { PanelObserver } from "../panel/observer.ts";
import { PanelConnection } from "../panel/panel_connection.ts";
import { RemoteControl } from "../remote/remote_control.ts";
import type { Snapshot } from "../types.ts";
import { Agent } from "./agent.ts";
import { BackgroundServices } from "./background_services.ts";
import type { MetricsEndpoint } from "./metrics_endpoint.ts";
import { logCountedParts, logPanel, logSandbox, panelName } from "./startup_log.ts";

/** The node that is reported, at its panel; one that has registered itself listens how calls end. */
interface Node extends PanelObserver {
  /** Base URL without a slash at its end. */
  readonly endpoint: string;
  /** Asked for at each call: a node that has registered itself may get another. */
  readonly token: string;
}

/** Options of {@linkcode runAgent}. */
export interface RunOptions extends Platform {
  readonly signal: AbortSignal;
  /** Called with each token that the panel gives, before it is used or logged. */
  onToken(token: string): void;
  /** For tests, which show what is possible without the seal. */
  readonly sealProcess?: () => Sandbox;
}

/**
 * Reports this machine to a panel until `signal` aborts.
 *
 * Everything that needs files or programs is opened first. The process is sealed then, unless remote
 * control is on, and not before that is anything read from the network.
 *
 * @throws {UsageError} When the process can't be sealed as `--require-seal` demands.
 */
export async function runAgent(config: Config, options: RunOptions): Promise<void> {
  requireSealable(config);
  // The runtime keeps the compiled code for the next start now, which it can't once it is sealed.
  await new Promise((resolve) => setTimeout(resolve, 0));
  const machine = await openMachine(config, options);
  await using registration = config.token === ""
    // An agent that was given its token needs nothing of it in memory.
    ? await (await import("../panel/registration.ts")).openRegistration(config, options)
    : undefined;
  const traffic = config.monthRotate === 0
    ? undefined
    : await (await import("../traffic/persistent_traffic.ts")).persistTraffic(config, machine);
  // An agent without --metrics needs nothing of it in memory.
  using metrics = config.metrics &&
    new (await import("./metrics_endpoint.ts")).MetricsEndpoint(config.metrics);
  const sampler = new Sampler(traffic?.collectors ?? machine.machine.collectors);
  // Opens the files that later snapshots read.
  const sample = () => {
    const snapshot = sampler.sample();
    metrics?.setSnapshot(snapshot);
    return snapshot;
  };
  const takeSnapshot = shareSnapshots(sample, sharedAgeMs(config));
  const services = new BackgroundServices(machine, config, options);
  const releaseMemory = openMemoryRelease();
  const ended = new AbortController();
  const running = AbortSignal.any([options.signal, ended.signal]);
  let persisting: Promise<void> | undefined;
  let serving: Promise<void> | undefined;
  try {
    const sandbox = isSealable(config) ? (options.sealProcess ?? sealThisProcess)() : undefined;
    if (config.requireSeal && sandbox?.kernelError !== undefined) {
      throw new UsageError(
        `Cannot seal this process as --require-seal demands: ${sandbox.kernelError}`,
      );
    }
    services.onSealed(sandbox);
    metrics?.setSandbox(sandbox === undefined ? "not sealed" : describeSandbox(sandbox));
    serving = metrics?.run({
      collectors: machine.machine.collectors,
      facts: () => services.facts(),
      takeSnapshot,
      intervalMs: shortestIntervalMs(config),
      panels: () => services.monitors.health(),
      signal: running,
    });
    const logStart = () => {
      logSandbox(sandbox);
      logCountedParts(machine.machine, config);
    };
    if (registration !== undefined) logStart();
    persisting = traffic?.run(running);
    if (registration !== undefined && !await registration.find()) return;
    const node = registration ?? config;
    const addresses = openPublicAddresses(config, machine);
    const hasSeveral = config.furtherPanels.length > 0;
    const shared = {
      addresses,
      services,
      metrics,
      takeSnapshot,
      phaseMs: hasSeveral ? performance.now() : undefined,
      signal: options.signal,
    };
    const reporting = hasSeveral ? reportToAll(node, config, shared) : report(node, config, shared);
    // The first report is on its way, and does not wait for the log.
    if (registration === undefined) logStart();
    releaseRegularly(releaseMemory, { signal: running });
    await reporting;
  } finally {
    ended.abort();
    await Promise.all([persisting, serving]);
    await Promise.all([services.close(), machine.close?.()]);
  }
}

/** Time after which everything that the start needs has been done. */
const FIRST_RELEASE_MS = 10_000;
/** At one report a second, 4 MB of garbage, and less than 0.1 s of CPU time to collect it. */
const RELEASE_INTERVAL_MS = 30 * 60_000;

/** Calls `release` after the start, and then regularly until the signal aborts. */
async function releaseRegularly(
  release: () => void,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  try {
    for (let ms = FIRST_RELEASE_MS;; ms = RELEASE_INTERVAL_MS) {
      await delay(ms, { signal });
      release();
    }
  } catch {
    // The agent ends.
  }
}

/** Everything that all panels share. */
interface Shared {
  readonly addresses: ReturnType<typeof openPublicAddresses>;
  readonly services: BackgroundServices;
  readonly metrics: MetricsEndpoint | undefined;
  readonly takeSnapshot: () => Snapshot;
  /** A time at which reports to all panels are due, if there are several. */
  readonly phaseMs: number | undefined;
  readonly signal: AbortSignal;
}

/** Reports to one panel until the signal aborts. */
async function report(
  node: Node,
  config: Config,
  { addresses, services, metrics, takeSnapshot, phaseMs, signal }: Shared,
): Promise<void> {
  const panel = panelName(node);
  const observers = [node, services.monitors.open(panel), metrics?.observe(panel) ?? {}];
  const connection = new PanelConnection(node, config, observers);
  const programs = config.remoteControl ? new Programs() : undefined;
  const reporting = new Agent(connection, {
    config,
    machine: {
      takeSnapshot,
      facts: () => services.facts(),
      lookUpAddresses: (signal) => addresses.lookup(signal),
    },
    probes: services.openProbes(connection, config),
    control: new RemoteControl(programs, connection, config),
    phaseMs,
    signal,
  }).run();
  logPanel(node);
  await reporting;
}

/** Reports to several panels. An error that ends the reports to one does not end those to the others. */
async function reportToAll(first: Node, config: Config, shared: Shared): Promise<void> {
  await Promise.all(
    panelConfigs(config).map((panel) =>
      withPanel(panelName(panel), async () => {
        try {
          // The first one may have registered itself.
          await report(panel === config ? first : panel, panel, shared);
        } catch (error) {
          if (shared.signal.aborted) return;
          getLogger("agent").error("Reports to this panel have ended: {error}", {
            error: describeError(error),
          });
        }
      })
    ),
  );
}

/** The configuration of each panel; they differ in endpoint, token, interval and remote control. */
function panelConfigs(config: Config): Config[] {
  return [config, ...config.furtherPanels.map((panel) => ({ ...config, ...panel }))];
}

/** A process that runs commands for one of its panels can't give up the right to run them. */
function isSealable(config: Config): boolean {
  return panelConfigs(config).every(({ remoteControl }) => !remoteControl);
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

/** Age up to which panels share a snapshot: half the shortest interval; 0 for a single panel. */
function sharedAgeMs(config: Config): number {
  return config.furtherPanels.length === 0 ? 0 : shortestIntervalMs(config) / 2;
}

function shortestIntervalMs(config: Config): number {
  const intervals = panelConfigs(config).map((panel) =>
    panel.intervalSeconds ?? INTERVAL_SECONDS.webSocket
  );
  return Math.min(...intervals) * 1000;
}
