/**
 * What an agent does beside reporting: probes, commands and terminals, and telling how it is. All of it is started when the first report is on its way, which must not wait for it.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { HealthFile } from "../host/health_file.ts";
import { runtimeFolders } from "../host/paths.ts";
import { Programs } from "../host/programs.ts";
import { seal } from "../host/sandbox.ts";
import type { Shell } from "../host/shell.ts";
import type { OpenedMachine } from "../metrics/machine.ts";
import type { PanelConnection } from "../panel/panel_connection.ts";
import { toWireCommandResult, toWireFileResult } from "../panel/protocol.ts";
import { OnDemandProbes, type ProbeOrder } from "../probe/on_demand.ts";
import { Prober } from "../probe/prober.ts";
import { ProbeSchedule } from "../probe/schedule.ts";
import { RemoteControl } from "../remote/remote_control.ts";
import type { MachineFacts, ProbeResult, ProbeTask } from "../types.ts";
import { VERSION } from "../version.ts";
import type { AfterFirstReport, Controller, ProbeRunner } from "./agent.ts";
import { startShell } from "./start_shell.ts";
import { sayWhatCounts, sayWhatIsAllowed } from "./startup_log.ts";

/** What the duties are done with. */
export interface DutiesParts {
  readonly open: OpenedMachine;
  readonly config: Config;
  readonly connection: PanelConnection;
  /** The runtime's name of the system. */
  readonly os: string;
  onResult(result: ProbeResult): void;
}

/** Reads what never changes, starts what has to be started, and seals the process between them. */
export class Duties implements AfterFirstReport {
  readonly facts: () => MachineFacts;
  readonly probes: ProbeRunner;
  readonly control: Controller;
  readonly #health: HealthFile | undefined;
  readonly #shell: Shell | undefined;

  /** @throws {Error} When the process can't be sealed; it must not go on then. */
  constructor({ open, config, connection, os, onResult }: DutiesParts) {
    const facts = open.machine.readFacts();
    this.facts = () => open.machine.currentFacts?.(facts) ?? facts;
    this.#health = HealthFile.open(runtimeFolders(config), { version: VERSION });
    const shell = startShell({
      ...open.host.roots,
      os,
      gpu: config.gpu,
    });
    this.#shell = shell;
    // Whoever wants commands run can't give up the right to run them.
    if (!config.remoteControl) seal();
    open.tree.useShell(shell);
    open.machine.gpu?.nvidia.useNvidiaSmi(async () => await shell?.nvidiaSmi());
    sayWhatCounts(open.machine, config);
    sayWhatIsAllowed(config);
    this.probes = startProbes({ shell, allowLoopback: config.allowLocalProbes, onResult });
    this.control = remoteControl(config, connection);
  }

  /** The panel has accepted a report, and the next is due an interval later. */
  accepted(intervalMs: number): void {
    this.#health?.accepted(intervalMs);
  }

  /** Ends what the agent does not end itself. */
  async close(): Promise<void> {
    this.#health?.close();
    await this.#shell?.close();
  }
}

function startProbes(
  { shell, allowLoopback, onResult }: {
    shell: Shell | undefined;
    allowLoopback: boolean;
    onResult: (result: ProbeResult) => void;
  },
): ProbeRunner {
  const prober = new Prober({ shell, allowLoopback });
  const probe: Prober["probe"] = (target, options) => prober.probe(target, options);
  const schedule = new ProbeSchedule({ probe, onResult });
  const onDemand = new OnDemandProbes({ probe, onResult });
  return {
    update: (tasks: readonly ProbeTask[]) => schedule.update(tasks),
    runOnce: (order: ProbeOrder) => onDemand.order(order),
    stop() {
      schedule.stop();
      onDemand.stop();
    },
  };
}

/** Runs the panel's commands, terminals and file requests, or refuses them if remote control is off. */
function remoteControl(config: Config, connection: PanelConnection): RemoteControl {
  return new RemoteControl({
    programs: config.remoteControl ? new Programs() : undefined,
    execTimeoutMs: config.execTimeoutMinutes * 60_000,
    terminalIdleMs: config.terminalIdleMinutes * 60_000,
    sendResult: (result, signal) =>
      connection.clientV1.sendCommandResult(toWireCommandResult(result), signal),
    dialTerminal: (requestId, signal) => connection.dialTerminal(requestId, signal),
    allowsFiles: config.remoteFiles,
    transfers: connection.transfers,
    sendFileResult: (result, signal) => connection.sendFileResult(toWireFileResult(result), signal),
  });
}
