import { UsageError } from "../errors.ts";

/** @throws {UsageError} When it was not said which panel to report to, or as which node. */
export function requireNode({ endpoint, token }: { endpoint: string; token: string }): void {
  if (endpoint !== "" && token !== "") return;
  const missing = endpoint === "" ? "--endpoint URL" : "--token TOKEN or --token-file FILE";
  throw new UsageError(`Cannot report without ${missing}; see --help, or try it with "demo"`);
}
