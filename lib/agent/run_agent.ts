/**
 * Puts the agent together: machine, panel, and what it does beside reporting.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { Sampler } from "../metrics/snapshot.ts";
import { openMachine, openPublicAddresses, type Platform } from "../metrics/open_machine.ts";
import type { OutcomeListener } from "../panel/outages.ts";
import { PanelConnection } from "../panel/panel_connection.ts";
import { VERSION } from "../version.ts";
import { Agent } from "./agent.ts";
import { Duties } from "./background_services.ts";
import { sayWhoReports } from "./startup_log.ts";

/** Which panel, as which node; it may want to hear how the calls to the panel go. */
export interface Node extends OutcomeListener {
  /** Base URL without a slash at its end. */
  readonly endpoint: string;
  /** Asked for at each call: a node that has registered itself may get another. */
  readonly token: string;
}

/** Reports this machine to a panel until `signal` aborts. */
export async function reportTo(
  node: Node,
  config: Config,
  options: Platform & { signal: AbortSignal },
): Promise<void> {
  const open = await openMachine(config, options);
  const month = config.monthRotate === 0
    ? undefined
    // Whoever does not want it needs nothing of it in memory.
    : await (await import("../traffic/persistent_traffic.ts")).persistTraffic(config, open);
  const ended = new AbortController();
  const keeping = month?.run(AbortSignal.any([options.signal, ended.signal]));
  const measuring = new Sampler(month?.collectors ?? open.machine.collectors, {
    monotonicMs: () => open.host.monotonicMs(),
  });
  const addresses = openPublicAddresses(config, open);
  const connection = new PanelConnection(node, config);
  let duties: Duties | undefined;
  let acceptedEveryMs: number | undefined;

  try {
    const running = new Agent({
      openLink: (listener, signals) => connection.openLink(listener, signals),
      http: connection.clientV1,
      panelLog: connection.log,
      infoIntervalMs: config.infoIntervalMinutes * 60_000,
      version: VERSION,
      takeSnapshot: () => measuring.sample(),
      onAccepted(intervalMs) {
        acceptedEveryMs = intervalMs;
        duties?.accepted(intervalMs);
      },
      lookUpAddresses: (signal) => addresses.lookup(signal),
      afterFirstReport(onResult) {
        duties = new Duties({ open, config, connection, os: options.os, onResult });
        if (acceptedEveryMs !== undefined) duties.accepted(acceptedEveryMs);
        return duties;
      },
    }).run(options.signal);
    // Said only now, when the first report is on its way.
    sayWhoReports(node);
    await running;
  } finally {
    connection.close();
    ended.abort();
    await keeping;
    await Promise.all([duties?.close(), open.close?.()]);
  }
}
