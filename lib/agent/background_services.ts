/**
 * Everything that an agent does beside reporting: probes, commands and terminals, and its health
 * file.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import { HealthFile } from "../state/health_file.ts";
import { runtimeFolders } from "../state/paths.ts";
import { describeSandbox, type Sandbox } from "../sandbox/sandbox.ts";
import { type Shell, startShell } from "../sandbox/shell.ts";
import type { OpenedMachine } from "../metrics/machine.ts";
import type { PanelConnection } from "../panel/panel_connection.ts";
import type { MachineFacts } from "../types.ts";
import { VERSION } from "../version.ts";
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

  /** The probes that one panel orders. */
  openProbes(
    connection: PanelConnection,
    { allowLocalProbes: allowLoopback }: Config,
  ): PanelProbes {
    return new PanelProbes(connection, { shell: this.#shell, allowLoopback });
  }

  /** Closes the health file and ends the helper shell. */
  async close(): Promise<void> {
    this.#health?.close();
    await this.#shell?.close();
  }
}
