/**
 * The generations of the real panel that the tests' panel can imitate, and how they differ.
 *
 * @module
 */

/** The abilities and limits of one generation. */
export interface Generation {
  /** The version that `/api/version` names. */
  readonly version: string;
  readonly hasV1: boolean;
  readonly hasV2: boolean;
  /**
   * Whether it is older than 1.2: it checks neither origins nor ranges, has no column for physical
   * cores, demands every size, and refuses results that are empty or have no valid time.
   */
  readonly isLegacy: boolean;
  /** Time that a report keeps a node online. */
  readonly presenceMs: number;
  /** Time without a data frame after which a WebSocket is dropped. */
  readonly dataTimeoutMs: number;
  /** Whether control pings count as data frames. */
  readonly acceptsPings: boolean;
  /**
   * Whether a terminal is a session that survives a lost connection and is requested by JSON-RPC,
   * results of commands go by v2, and files can be managed.
   */
  readonly hasSessions: boolean;
  /** Whether the node's configuration and version can be managed. */
  readonly managesAgents: boolean;
  /** Whether the token is read from the `Authorization` header only, as by forks; else from the query. */
  readonly takesHeaderOnly?: boolean;
  /** Whether it has probes of type `auto` and `dual`, references, and a column for ICMP. */
  readonly hasNewerProbes?: boolean;
  /** Results of probes that wait to be saved, every 3 s; more are refused. */
  readonly pingQueue?: number;
}

/** What 1.5 is, and newer panels but for what they name. */
const NEWER = {
  version: "1.5.1",
  hasV1: false,
  hasV2: true,
  isLegacy: false,
  presenceMs: 35_000,
  dataTimeoutMs: 11_000,
  acceptsPings: false,
  hasSessions: true,
  managesAgents: false,
} as const satisfies Generation;

const MAIN = { ...NEWER, dataTimeoutMs: 75_000, acceptsPings: true, managesAgents: true } as const;

/** Every generation by its name. */
export const generations = {
  "1.1": {
    ...{ ...NEWER, version: "1.1.8", hasV1: true, hasV2: false, hasSessions: false },
    ...{ isLegacy: true, presenceMs: 11_000 },
  },
  "1.4": { ...NEWER, version: "1.4.3", hasV1: true, hasSessions: false },
  "1.5": NEWER,
  "main": { ...MAIN, version: "1.5.1-main" },
  "main, October 2026": { ...MAIN, version: "1.6.1", pingQueue: 4096 },
  "header only": { ...NEWER, takesHeaderOnly: true },
  "Nekomari": { ...NEWER, version: "v0.1.42", hasNewerProbes: true },
} as const satisfies Record<string, Generation>;

/** The name of a generation. */
export type GenerationName = keyof typeof generations;

/** The names of all generations, the oldest first. */
export function generationNames(): GenerationName[] {
  const isName = (name: string): name is GenerationName => Object.hasOwn(generations, name);
  return Object.keys(generations).filter(isName);
}
