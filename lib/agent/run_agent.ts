/**
 * Puts the agent together: opens everything, seals the process, and then talks to the panel.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { UsageError } from "../config/usage_error.ts";
import { type Sandbox, sealProcess as sealThisProcess } from "../host/sandbox.ts";
import type { OpenedMachine } from "../metrics/machine.ts";
import { Sampler } from "../metrics/snapshot.ts";
import { openMachine, openPublicAddresses, type Platform } from "../metrics/open_machine.ts";
import type { OutcomeListener } from "../panel/outages.ts";
import { PanelConnection } from "../panel/panel_connection.ts";
import type { Snapshot } from "../types.ts";
import { VERSION } from "../version.ts";
import { Agent } from "./agent.ts";
import { BackgroundServices } from "./background_services.ts";
import { logCountedParts, logPanel, logSandbox } from "./startup_log.ts";

/** The node that is reported, at its panel; it may want to know how calls to the panel end. */
interface Node extends OutcomeListener {
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
  const discovery = config.token === ""
    // An agent that was given its token needs nothing of it in memory.
    ? await (await import("../panel/registered_node.ts")).openDiscovery(config)
    : undefined;
  const traffic = config.monthRotate === 0
    ? undefined
    : await (await import("../traffic/persistent_traffic.ts")).persistTraffic(config, machine);
  const sampler = new Sampler(traffic?.collectors ?? machine.machine.collectors, {
    monotonicMs: () => machine.host.monotonicMs(),
  });
  // Opens the files that later snapshots read.
  const takeSnapshot = reuseFirst(() => sampler.sample(), machine.host);
  const services = new BackgroundServices(machine, config, options);
  const ended = new AbortController();
  let persisting: Promise<void> | undefined;
  try {
    const sandbox = config.remoteControl ? undefined : (options.sealProcess ?? sealThisProcess)();
    if (config.requireSeal && sandbox?.kernelError !== undefined) {
      throw new UsageError(
        `Cannot seal this process as --require-seal demands: ${sandbox.kernelError}`,
      );
    }
    services.onSealed(sandbox);
    const logStart = () => {
      logSandbox(sandbox);
      logCountedParts(machine.machine, config);
    };
    if (discovery !== undefined) logStart();
    persisting = traffic?.run(AbortSignal.any([options.signal, ended.signal]));
    await using registered = await discovery?.discover(options);
    const node = discovery === undefined ? config : registered;
    if (node === undefined) return;
    const reporting = report(node, { config, machine, services, takeSnapshot, options });
    // The first report is on its way, and does not wait for the log.
    if (discovery === undefined) logStart();
    await reporting;
  } finally {
    ended.abort();
    await persisting;
    discovery?.[Symbol.dispose]();
    await Promise.all([services.close(), machine.close?.()]);
  }
}

/** Reports until the signal aborts. */
async function report(
  node: Node,
  { config, machine, services, takeSnapshot, options: { signal } }: {
    config: Config;
    machine: OpenedMachine;
    services: BackgroundServices;
    takeSnapshot: () => Snapshot;
    options: RunOptions;
  },
): Promise<void> {
  const addresses = openPublicAddresses(config, machine);
  const connection = new PanelConnection(node, config);
  try {
    const reporting = new Agent({
      openLink: (listener, signals) => connection.openLink(listener, signals),
      http: connection.clientV1,
      panelLog: connection.log,
      infoIntervalMs: config.infoIntervalMinutes * 60_000,
      version: VERSION,
      takeSnapshot,
      onAccepted: (intervalMs) => services.accepted(intervalMs),
      lookUpAddresses: (signal) => addresses.lookup(signal),
      openServices: (onResult) => services.open(connection, onResult),
    }).run(signal);
    logPanel(node);
    await reporting;
  } finally {
    connection.close();
  }
}

/** @throws {UsageError} When `--require-seal` was given and nothing can be sealed. */
function requireSealable({ requireSeal, remoteControl }: Config): void {
  if (requireSeal && remoteControl) {
    throw new UsageError(
      "Cannot use --require-seal together with --enable-remote-control: a sealed process starts " +
        "no programs",
    );
  }
}

/** A first snapshot that is older than this is taken again. */
const FIRST_SNAPSHOT_MAX_AGE_MS = 1_000;

/**
 * Takes the first snapshot now, and gives it when it is asked for soon: a second one right behind it
 * would measure speeds over a few milliseconds.
 */
function reuseFirst(
  sample: () => Snapshot,
  { monotonicMs }: Pick<OpenedMachine["host"], "monotonicMs">,
): () => Snapshot {
  let first: Snapshot | undefined = sample();
  const takenAtMs = monotonicMs();
  return () => {
    const isFresh = monotonicMs() - takenAtMs < FIRST_SNAPSHOT_MAX_AGE_MS;
    const snapshot = isFresh && first !== undefined ? first : sample();
    first = undefined;
    return snapshot;
  };
}
