import type { Config } from "./config/config.ts";
import { openDarwinMachine } from "./darwin_machine.ts";
import { UsageError } from "./config/usage_error.ts";
import { openDarwinHost } from "./host/darwin_host.ts";
import { DarwinShell } from "./host/darwin_shell.ts";
import { OWN_PROC } from "./machine.ts";
import type { OpenMachine } from "./open_machine.ts";

/**
 * Opens this Mac, measured as the configuration wants it.
 *
 * @throws {UsageError} When the configuration wants what only Linux has.
 * @throws {Error} When there is no shell to ask.
 */
export async function openThisMac(config: Config, arch: string): Promise<OpenMachine> {
  if (config.remoteControl) {
    throw new UsageError("Cannot turn on remote control: on macOS it is not supported yet");
  }
  if (config.hostProc !== "" && config.hostProc !== OWN_PROC) {
    throw new UsageError("Cannot use HOST_PROC on macOS: there is no /proc");
  }
  const host = await openDarwinHost();
  const shell = DarwinShell.start();
  try {
    const machine = await openDarwinMachine(host, shell, { ...config, arch });
    return {
      host: { ...host, roots: { proc: "/proc", sys: "/sys", root: "/" } },
      tree: { useShell() {} },
      machine,
      close: () => shell.close(),
    };
  } catch (error) {
    await shell.close();
    throw error;
  }
}
