import type { Config } from "../config/config.ts";
import type { InstallRecord } from "../service/install_record.ts";

/**
 * What was asked for, completed by what root was told at the last time and goes by; with a notice
 * where the service's configuration says otherwise.
 */
export function remembering(config: Config, before: InstallRecord | undefined): Config {
  const { install, notices, update } = config;
  const given = new Map([...Object.entries(before?.told ?? {}), ...install.given]);
  // Services of another name have it in their configuration without being told.
  const known = new Map([["state_dir", before?.stateFolder], ...given]);
  const differing = Array.from(install.passedOver).filter(([key, text]) => known.get(key) !== text);
  return {
    ...config,
    install: { ...install, given },
    update: { ...update, url: update.url || (given.get("update_url") ?? "") },
    notices: [
      ...notices,
      ...differing.map(([key]) =>
        `key ${key} of the installed configuration is left out, for that file is not root's own; ` +
        "a flag or a variable says it"
      ),
    ],
  };
}
