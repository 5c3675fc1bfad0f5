/**
 * Puts the agent together: machine, panel, probes, and the seal between them.
 *
 * @module
 */

import { type AfterFirstReport, Agent } from "./agent.ts";
import { Connection } from "./connection.ts";
import { RemoteControl } from "./control/remote_control.ts";
import type { Config } from "./config/config.ts";
import { HealthFile } from "./host/health_file.ts";
import { type OwnUpdates, ownUpdates } from "./host/own_updates.ts";
import { Programs } from "./host/programs.ts";
import { runtimeFolders } from "./host/runtime_folders.ts";
import { seal } from "./host/seal.ts";
import type { Shell } from "./host/shell.ts";
import { UpdateTrigger } from "./host/update_trigger.ts";
import { describeError, getLogger } from "./log.ts";
import { Measuring } from "./measuring.ts";
import type { OutcomeListener } from "./panel/panel_log.ts";
import { OnDemandProbes, type ProbeOrder } from "./probe/on_demand.ts";
import { Prober } from "./probe/prober.ts";
import { ProbeSchedule } from "./probe/schedule.ts";
import { toWireCommandResult } from "./protocol.ts";
import { startShell } from "./start_shell.ts";
import { sayWhatCounts, sayWhatIsAllowed, sayWhoReports } from "./start_story.ts";
import type { ProbeResult, ProbeTask } from "./types.ts";
import { openThisMachine, type Platform, publicAddresses } from "./this_machine.ts";
import { VERSION } from "./version.ts";

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
  const open = await openThisMachine(config, options);
  const month = config.monthRotate === 0
    ? undefined
    // Whoever does not want it needs nothing of it in memory.
    : (await import("./month.ts")).keepMonth(config, open);
  const ended = new AbortController();
  const keeping = month?.run(AbortSignal.any([options.signal, ended.signal]));
  const measuring = new Measuring(month?.collectors ?? open.machine.collectors, {
    monotonicMs: () => open.host.monotonicMs(),
  });
  const addresses = publicAddresses(config, open);
  let health: HealthFile | undefined;
  let acceptedEveryMs = 0;
  let shell: Shell | undefined;
  let trigger: UpdateTrigger | undefined;

  const connection = new Connection(node, config);

  function afterFirstReport(onResult: (result: ProbeResult) => void): AfterFirstReport {
    const facts = open.machine.readFacts();
    health = HealthFile.open(runtimeFolders(config), { version: VERSION });
    if (acceptedEveryMs > 0) health?.accepted(acceptedEveryMs);
    // A new version of an agent that can't say how it is could not be judged.
    const updates = health && ownUpdates(config);
    shell = startShell({
      ...open.host.roots,
      os: options.os,
      gpu: config.gpu,
      ...(updates && { update: updates.command }),
    });
    // Whoever wants commands run can't give up the right to run them.
    if (!config.remoteControl) seal();
    open.tree.useShell(shell);
    open.machine.gpu?.nvidia.useNvidiaSmi(async () => await shell?.nvidiaSmi());
    sayWhatCounts(open.machine, config);
    sayWhatIsAllowed(config);
    trigger = updates && shell && startUpdates(shell, updates);
    const prober = new Prober({ shell });
    const probe: Prober["probe"] = (target, options) => prober.probe(target, options);
    const schedule = new ProbeSchedule({ probe, onResult });
    const onDemand = new OnDemandProbes({ probe, onResult });
    const probes = {
      update: (tasks: readonly ProbeTask[]) => schedule.update(tasks),
      runOnce: (order: ProbeOrder) => onDemand.order(order),
      stop() {
        schedule.stop();
        onDemand.stop();
      },
    };
    return {
      facts: () => open.machine.currentFacts?.(facts) ?? facts,
      probes,
      control: remoteControl(config, connection),
    };
  }

  try {
    const running = new Agent({
      openLink: (listener, signals) => connection.openLink(listener, signals),
      http: connection.http,
      panelLog: connection.log,
      infoIntervalMs: config.infoIntervalMinutes * 60_000,
      version: VERSION,
      takeSnapshot: () => measuring.take(),
      onAccepted(intervalMs) {
        acceptedEveryMs = intervalMs;
        health?.accepted(intervalMs);
      },
      lookUpAddresses: (signal) => addresses.lookup(signal),
      afterFirstReport,
    }).run(options.signal);
    // Said only now, when the first report is on its way.
    sayWhoReports(node);
    await running;
  } finally {
    trigger?.stop();
    connection.close();
    health?.close();
    ended.abort();
    await keeping;
    await Promise.all([shell?.close(), open.close?.()]);
  }
}

/** What deals with commands and terminals: by a refusal, unless the user wants them. */
function remoteControl(config: Config, connection: Connection): RemoteControl {
  return new RemoteControl({
    programs: config.remoteControl ? new Programs() : undefined,
    execTimeoutMs: config.execTimeoutMinutes * 60_000,
    terminalIdleMs: config.terminalIdleMinutes * 60_000,
    uploadResult: (result, signal) =>
      connection.http.sendCommandResult(toWireCommandResult(result), signal),
    dialTerminal: (requestId, signal) => connection.dialTerminal(requestId, signal),
  });
}

/** Looks for newer versions from time to time, by processes of their own. */
function startUpdates(shell: Shell, { isTrialOpen }: OwnUpdates): UpdateTrigger {
  return new UpdateTrigger({
    start: () => shell.startUpdate(),
    isTrialOpen,
    onError: (error) => getLogger("update").warning("{error}", { error: describeError(error) }),
  });
}
