import { ORIGIN } from "./service_plan.ts";

/**
 * A file of variables that systemd (`EnvironmentFile=`) and a POSIX shell (`. FILE`) read alike: both
 * take the same four signs in double quotes for special.
 */
export function environmentText(variables: Readonly<Record<string, string>>): string {
  const lines = Object.entries(variables).map(([name, value]) =>
    `${name}="${environmentWord(value)}"`
  );
  return [`# ${ORIGIN}`, ...lines, ""].join("\n");
}

/** A value as it stands there between its quotes. */
export function environmentWord(value: string): string {
  return value.replace(/["\\`$]/g, "\\$&");
}

/** The variables that such a file may have: those about proxies. */
export const PROXY_VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] as const;
