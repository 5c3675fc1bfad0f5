/**
 * Everything that an agent does beside reporting: probes, commands and terminals, and its health
 * file.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { publicConfig } from "../config/public_config.ts";
import { HealthFile } from "../state/health_file.ts";
import { runtimeFolders } from "../state/paths.ts";
import { Programs } from "../host/programs.ts";
import { describeSandbox, type Sandbox } from "../sandbox/sandbox.ts";
import { type Shell, startShell } from "../sandbox/shell.ts";
import { isInContainerImage, thisProgram } from "../host/this_program.ts";
import type { OpenedMachine } from "../metrics/machine.ts";
import type { PanelConnection } from "../panel/panel_connection.ts";
import { withoutOwnVariables } from "../remote/exec_environment.ts";
import { RemoteControl, type RemoteControlOptions } from "../remote/remote_control.ts";
import type { MachineFacts, ProbeResult } from "../types.ts";
import { VERSION } from "../version.ts";
import type { Services } from "./agent.ts";
import { PanelMonitors } from "./panel_monitor.ts";
import { PanelProbes } from "./panel_probes.ts";

/** Opens and starts everything that needs files or programs before the process is sealed. */
export class BackgroundServices {
  /** The state of the connections to all panels. */
  readonly monitors: PanelMonitors;
  readonly #machine: OpenedMachine;
  readonly #facts: MachineFacts;
  readonly #health: HealthFile | undefined;
  readonly #shell: Shell | undefined;

  /** `os` is the runtime's name of the system. */
  constructor(machine: OpenedMachine, config: Config, { os }: { os: string }) {
    this.#machine = machine;
    this.#facts = machine.machine.readFacts();
    this.#health = HealthFile.open(runtimeFolders(config), { version: VERSION });
    this.monitors = new PanelMonitors(this.#health);
    this.#shell = startShell({ ...machine.host.roots, os, gpu: config.gpu });
  }

  /** Continues after the seal: look-ups below /proc and /sys go through the helper shell now. */
  onSealed(sandbox: Sandbox | undefined): void {
    this.#health?.setSandbox(sandbox === undefined ? "not sealed" : describeSandbox(sandbox));
    const { lookup, machine: { gpu } } = this.#machine;
    lookup.useShell(this.#shell);
    gpu?.nvidia.useNvidiaSmi(async () => await this.#shell?.nvidiaSmi());
  }

  /** Facts about the machine, with the cores that are online. */
  facts(): MachineFacts {
    return this.#machine.machine.currentFacts?.(this.#facts) ?? this.#facts;
  }

  /** Probes and remote control for one panel, as its configuration allows. */
  open(
    connection: PanelConnection,
    { config, onResult }: { config: Config; onResult: (result: ProbeResult) => void },
  ): Services {
    return {
      facts: () => this.facts(),
      probes: new PanelProbes({
        shell: this.#shell,
        allowLoopback: config.allowLocalProbes,
        observers: connection.observers,
        onResult,
      }),
      control: openRemoteControl(config, connection),
    };
  }

  /** Closes the health file and ends the helper shell. */
  async close(): Promise<void> {
    this.#health?.close();
    await this.#shell?.close();
  }
}

/** Runs the panel's commands, terminals and file requests, or refuses them if remote control is off. */
function openRemoteControl(config: Config, connection: PanelConnection): RemoteControl {
  const { sender } = connection;
  return new RemoteControl({
    programs: config.remoteControl ? new Programs() : undefined,
    execTimeoutMs: config.execTimeoutMinutes * 60_000,
    terminalIdleMs: config.terminalIdleMinutes * 60_000,
    sendResult: (result, signal) => sender.sendCommandResult(result, signal),
    dialTerminal: (requestId, signal) => connection.dialTerminal(requestId, signal),
    allowsFiles: config.remoteFiles,
    transfers: connection.transfers,
    sendFileResult: (result, signal) => sender.sendFileResult(result, signal),
    startupConfig: () => ({ version: VERSION, ...publicConfig(config) }),
    sendStartupConfig: (answer, signal) => sender.sendStartupConfig(answer, signal),
    updates: updateSettings(config),
  });
}

/** Settings of updates that the panel orders, and the obstacle if there can be none. */
function updateSettings(config: Config): RemoteControlOptions["updates"] {
  // A sealed process may read none of this; without remote control nothing of it is needed.
  if (!config.remoteControl) return { obstacle: undefined, programPath: "", env: {}, cgroup: "" };
  const { form, path } = thisProgram();
  const obstacle = !config.autoUpdate
    ? "--disable-auto-update is set"
    : isInContainerImage()
    ? "in a container a newer version comes with a newer image"
    : form === "source"
    ? "this program runs from its sources"
    : undefined;
  const env = withoutOwnVariables(Deno.env.toObject());
  return { obstacle, programPath: path, env, cgroup: readCgroup() };
}

function readCgroup(): string {
  try {
    return Deno.readTextFileSync("/proc/self/cgroup");
  } catch {
    return "";
  }
}
