import { ORIGIN, type ServicePlan } from "./service_manager.ts";

/**
 * What a portable build needs to know: its Deno, and a folder for what that remembers.
 *
 * That folder is never shared by two users: the one with fewer rights could make the other write
 * where he likes.
 */
export function denoVariables(
  { deno }: Pick<ServicePlan, "deno">,
  { folder }: { folder: string },
): Record<string, string> {
  return deno === undefined ? {} : { DENO: deno, DENO_DIR: `${folder}/deno` };
}

/** The variables that the agent gets where its manager sets none by itself. */
export function agentVariables(plan: ServicePlan): Record<string, string> {
  const { scope, user, stateFolder, runtimeFolder } = plan;
  return {
    ...denoVariables(plan, { folder: stateFolder }),
    // Only root can change its program.
    ...(scope === "system" && user !== "root" && { AGENT_DISABLE_AUTO_UPDATE: "true" }),
    STATE_DIRECTORY: stateFolder,
    RUNTIME_DIRECTORY: runtimeFolder,
  };
}

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
