/**
 * The first half of the agent's start: opens everything that needs files or programs.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { INTERVAL_SECONDS } from "../config/parsers.ts";
import { openMemoryRelease } from "../host/memory_release.ts";
import { describeError, getLogger } from "../log/log.ts";
import { GPU_SUBJECT } from "../metrics/gpu.ts";
import type { Machine } from "../metrics/machine.ts";
import { hostRoots, openMachine, type Platform } from "../metrics/open_machine.ts";
import { createGetText, PublicAddresses } from "../metrics/public_addresses.ts";
import { Sampler } from "../metrics/snapshot.ts";
import { NetDialer } from "../net/dialer.ts";
import { SystemResolver } from "../net/dns.ts";
import { loadAuthorities } from "../net/tls.ts";
import type { NodeRegistration } from "../panel/registration.ts";
import type { SealNeeds } from "../sandbox/seccomp_policy.ts";
import { type Shell, startShell } from "../sandbox/shell.ts";
import { HealthFile } from "../state/health_file.ts";
import { keepsState, runtimeFolders, stateFolder } from "../state/paths.ts";
import type { PersistentTraffic } from "../traffic/persistent_traffic.ts";
import { VERSION } from "../version.ts";
import type { MetricsEndpoint } from "./metrics_endpoint.ts";
import { PanelMonitors } from "./panel_monitor.ts";
import { isRootUntilSealed, sealNeeds, ShellNames } from "./shell_names.ts";

/** Options of {@linkcode openAgent}. */
export interface RunOptions extends Platform {
  readonly signal: AbortSignal;
  /** Texts that nobody may read; a token that the panel gives is added before it is used. */
  readonly secrets: string[];
}

/** An agent that has opened everything that needs files or programs. */
export interface OpenedAgent extends AsyncDisposable {
  readonly config: Config;
  readonly machine: Machine;
  readonly sampler: Sampler;
  readonly addresses: PublicAddresses;
  readonly registration: NodeRegistration | undefined;
  readonly traffic: PersistentTraffic | undefined;
  readonly metrics: MetricsEndpoint | undefined;
  readonly health: HealthFile | undefined;
  readonly monitors: PanelMonitors;
  readonly shell: Shell | undefined;
  readonly names: ShellNames;
  readonly resolver: SystemResolver;
  /** Work that has to stay possible after the seal. */
  readonly needs: SealNeeds;
  readonly releaseMemory: () => void;
  readonly signal: AbortSignal;
}

/** Opens everything that needs files or programs; nothing is read from the network in this process. */
export async function openAgent(config: Config, options: RunOptions): Promise<OpenedAgent> {
  await using opened = new AsyncDisposableStack();
  // 1. What starts programs. Connections to the panels are prepared while the rest is opened.
  const shell = startShell({
    ...hostRoots(config.hostProc),
    ...{ os: options.os, gpu: config.gpu, leavesRoot: isRootUntilSealed(config) },
  });
  opened.defer(async () => await shell?.close());
  const names = new ShellNames(shell);
  const resolver = new SystemResolver(names);
  for (const { endpoint } of panelConfigs(config)) {
    new NetDialer(config, resolver).prepare(new URL(endpoint));
  }
  // The shell answers its first questions meanwhile. The runtime keeps the compiled code for the next
  // start now, which it can't once it is sealed.
  await shell?.written();

  // The health file is written first: it takes what fails from here on.
  const { signal, secrets } = options;
  const health = HealthFile.open(runtimeFolders(config), {
    ...{ version: VERSION, secrets },
    stateFolder: keepsState(config) ? stateFolder(config) : undefined,
    configDigest: config.configDigest,
  });
  opened.defer(() => health?.close());

  // 2. What is read.
  try {
    loadAuthorities();
  } catch (error) {
    health?.setProblem("authorities", describeError(error));
    getLogger("net").warning("{error}", { error: describeError(error) });
  }
  const machine = await openMachine(config, options);
  opened.defer(async () => await machine.close?.());
  machine.facts();
  const onToken = (token: string) => void secrets.push(token);
  // Imported only where an agent needs it: the engine parses everything else at each start.
  const registration = config.token !== ""
    ? undefined
    : await (await import("../panel/registration.ts"))
      .openRegistration(config, { signal, onToken, observer: health }, resolver);
  opened.use(registration);

  // 3. What else is written.
  const traffic = config.monthRotate === 0
    ? undefined
    : await (await import("../traffic/persistent_traffic.ts"))
      .persistTraffic(config, machine, health);
  const metrics = config.metrics === undefined
    ? undefined
    : new (await import("./metrics_endpoint.ts")).MetricsEndpoint(config.metrics, { health });
  opened.use(metrics);

  const sampler = new Sampler(traffic?.collectors ?? machine.collectors, sharedAgeMs(config), {
    onFailures(failing) {
      const [gpu] = [...failing].filter(([subject]) => subject.includes(GPU_SUBJECT));
      health?.setProblem("gpu", gpu?.join(": "));
    },
  });
  const getText = createGetText(config.proxies, { system: resolver });
  const addresses = new PublicAddresses(config, machine, { getText });

  const closing = opened.move();
  return {
    config,
    machine,
    sampler,
    addresses,
    registration,
    traffic,
    metrics,
    health,
    monitors: new PanelMonitors(health),
    shell,
    names,
    resolver,
    needs: await sealNeeds(config, { names, shell, signal }),
    releaseMemory: openMemoryRelease(),
    signal,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** The configuration of each panel; they differ in endpoint, token, interval and remote control. */
export function panelConfigs(config: Config): Config[] {
  return [config, ...config.furtherPanels.map((panel) => ({ ...config, ...panel }))];
}

/** Age up to which panels share a snapshot: half the shortest interval; 0 for a single panel. */
export function sharedAgeMs(config: Config): number {
  return config.furtherPanels.length === 0 ? 0 : shortestIntervalMs(config) / 2;
}

/** The shortest interval of reports to any panel, in milliseconds. */
export function shortestIntervalMs(config: Config): number {
  const intervals = panelConfigs(config).map((panel) =>
    panel.intervalSeconds ?? INTERVAL_SECONDS.webSocket
  );
  return Math.min(...intervals) * 1000;
}
