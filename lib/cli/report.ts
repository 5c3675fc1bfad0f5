/**
 * The command without a name: reports this machine until it is asked to end.
 *
 * @module
 */

import { reportTo } from "../agent/run_agent.ts";
import type { Config } from "../config/config.ts";
import { requireCredentials } from "../config/credentials.ts";
import { RESTART_EXIT_CODE } from "../host/this_program.ts";
import { describeError, getLogger } from "../log/log.ts";
import { type CommandContext, supportedPlatform } from "./command.ts";
import { logToStandardError } from "./output.ts";

/** Reports as the given node, or as the one that this machine registers as. */
export async function runReport(config: Config, context: CommandContext): Promise<number> {
  const { signal, secrets } = context;
  const options = { ...supportedPlatform(), signal };
  requireCredentials(config, { verb: "report" });
  logToStandardError(config, secrets);
  logUnhandledErrors();
  if (config.token !== "") await reportTo(config, config, options);
  else {
    const { openDiscovery } = await import("../panel/registered_node.ts");
    const onToken = (token: string) => void secrets.push(token);
    using discovery = await openDiscovery(config);
    await using node = await discovery.discover({ signal, onToken });
    if (node !== undefined) await reportTo(node, config, options);
  }
  getLogger("agent").info("Stopped");
  return context.isRestart() ? RESTART_EXIT_CODE : 0;
}

/** Keeps an agent that nobody watches running after an error in one part of it. */
export function logUnhandledErrors(): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    getLogger("agent").error("Unexpected: {error}", { error: describeError(event.reason) });
  });
}
