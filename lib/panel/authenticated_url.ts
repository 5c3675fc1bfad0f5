/** The panel and the node that calls are made for. */
export interface PanelAccess {
  /** Base URL without a trailing slash. */
  readonly endpoint: string;
  /** Read at each call, since a node that registers itself may get a new one. */
  readonly token: string;
}

/**
 * The URL of a call in a node's name. Its query is the only place where the token leaves the process;
 * errors and log lines name the path alone.
 */
export function authenticatedUrl(
  { endpoint, token }: PanelAccess,
  path: string,
  query: Readonly<Record<string, string>> = {},
): string {
  const pairs = Object.entries({ token, ...query });
  return `${endpoint}${path}?` +
    pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
}
