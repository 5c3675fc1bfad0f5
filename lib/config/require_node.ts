import { UsageError } from "./usage_error.ts";

/** What says which panel to report to, and as which node. */
export interface NodeWords {
  readonly endpoint: string;
  readonly token: string;
  /** A node that has a key gets its token by itself. */
  readonly autoDiscoveryKey: string;
}

/**
 * `verb` is what can't be done without.
 *
 * @throws {UsageError} When it was not said which panel to report to, or as which node.
 */
export function requireNode(
  { endpoint, token, autoDiscoveryKey }: NodeWords,
  { verb }: { verb: "report" | "install" },
): void {
  if (endpoint !== "" && (token !== "" || autoDiscoveryKey !== "")) return;
  const missing = endpoint === ""
    ? "--endpoint URL"
    : "--token TOKEN, --token-file FILE or --auto-discovery KEY";
  const hint = verb === "report" ? 'see --help, or try it with "demo"' : "see --help";
  throw new UsageError(`Cannot ${verb} without ${missing}; ${hint}`);
}
