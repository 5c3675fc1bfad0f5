/** Where a token is in a call. */
export type TokenPlace = "query" | "header";

/** The panel and the node that calls are made for. */
export interface PanelAccess {
  /** Base URL without a trailing slash. */
  readonly endpoint: string;
  /** Read at each call, since a node that registers itself may get a new one. */
  readonly token: string;
  /** Where the panel takes the token; in the query, if absent. */
  readonly tokenPlace?: LearnedTokenPlace;
}

/** Where a call in a node's name goes, and how it is authenticated. */
export interface AuthenticatedTarget {
  readonly url: string;
  /** To be sent to the panel alone. */
  readonly headers: readonly (readonly [string, string])[];
}

/** Time after which another place is tried again for a token that no place was accepted for. */
const RETRY_MS = 10 * 60_000;

/**
 * Where one panel takes the token. Panels by the name of Komari read the query; some that grew from
 * it read a header only, since proxies log URLs. It is learned from the first answer, and kept.
 */
export class LearnedTokenPlace {
  readonly #isFixed: boolean;
  #current: TokenPlace;
  #refused: { readonly token: string; readonly atMs: number } | undefined;

  /** @param setting `auto` learns it, and begins with the query. */
  constructor(setting: "auto" | TokenPlace) {
    this.#isFixed = setting !== "auto";
    this.#current = setting === "auto" ? "query" : setting;
  }

  get current(): TokenPlace {
    return this.#current;
  }

  /** The place to try for a token that the panel refuses at the current one; `undefined` for none. */
  alternative(token: string): TokenPlace | undefined {
    const isLately = this.#refused?.token === token &&
      performance.now() - this.#refused.atMs < RETRY_MS;
    // Other characters can't be in a header.
    if (this.#isFixed || isLately || !/^[\x21-\x7e]+$/.test(token)) return undefined;
    return this.#current === "query" ? "header" : "query";
  }

  /** Keeps what trying {@linkcode alternative} has shown. */
  learn(place: TokenPlace, { token, isAccepted }: { token: string; isAccepted: boolean }): void {
    if (isAccepted) this.#current = place;
    this.#refused = isAccepted ? undefined : { token, atMs: performance.now() };
  }
}

/**
 * The target of a call in a node's name. Its URL's query, or its header, is the only place where the
 * token leaves the process; errors and log lines name the path alone.
 */
export function authenticatedTarget(
  { endpoint, token, tokenPlace }: PanelAccess,
  path: string,
  query: Readonly<Record<string, string>> = {},
  place: TokenPlace = tokenPlace?.current ?? "query",
): AuthenticatedTarget {
  const isInQuery = place === "query";
  const pairs = Object.entries({ ...(isInQuery && { token }), ...query });
  const text = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return {
    url: endpoint + path + (text === "" ? "" : `?${text}`),
    headers: isInQuery ? [] : [["authorization", `Bearer ${token}`]],
  };
}

/** Status of a panel that does not know the token where it is. */
const UNAUTHORIZED = 401;

/**
 * Makes a call in a node's name; one that is answered 401 is made once more with the token at the other
 * place, which is kept if it is accepted there.
 *
 * @param options `isAccepted`: whether an outcome proves that the panel has taken the token.
 */
export async function callAuthenticated<Outcome extends { readonly status: number }>(
  access: PanelAccess,
  { path, query, isAccepted }: {
    path: string;
    query?: Readonly<Record<string, string>> | undefined;
    isAccepted(outcome: NoInfer<Outcome>): boolean;
  },
  call: (target: AuthenticatedTarget) => Promise<Outcome>,
): Promise<Outcome> {
  const { token, tokenPlace } = access;
  const outcome = await call(authenticatedTarget(access, path, query));
  if (outcome.status !== UNAUTHORIZED || tokenPlace === undefined) return outcome;
  const place = tokenPlace.alternative(token);
  if (place === undefined) return outcome;
  const second = await call(authenticatedTarget(access, path, query, place));
  tokenPlace.learn(place, { token, isAccepted: isAccepted(second) });
  return isAccepted(second) ? second : outcome;
}
