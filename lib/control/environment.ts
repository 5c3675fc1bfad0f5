import { SYSTEM_PATH } from "../host/system_path.ts";

/**
 * The agent's own: options with their secrets, and what its service manager tells it alone (where
 * its credentials lie, where it reports that it is ready).
 */
const OWN = /^(?:AGENT_|CREDENTIALS_DIRECTORY$|NOTIFY_|WATCHDOG_|LISTEN_|JOURNAL_STREAM$)/;

/** The agent's environment without what is its own, fit for what a panel's users run. */
export function cleanedEnvironment(
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  const kept = Object.entries(environment).filter(([name]) => !OWN.test(name.toUpperCase()));
  return { PATH: SYSTEM_PATH, ...Object.fromEntries(kept) };
}
