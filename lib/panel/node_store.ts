import { getLogger } from "../log/log.ts";
import { jsonFields, parseJson } from "../parse/json.ts";
import { StateFile } from "../state/state_file.ts";

/** A node at a panel. */
export interface NodeCredentials {
  readonly uuid: string;
  /** The node's secret. */
  readonly token: string;
}

/** The node that this machine is at one panel. */
export interface KnownNode extends NodeCredentials {
  /** The panel's base URL without a slash at its end. */
  readonly endpoint: string;
  /** When it was registered here, in milliseconds since 1970; absent when it was imported. */
  readonly registeredAtMs?: number;
}

/** Attempts to register at one panel whose answers are not known: each may have made a node there. */
export interface DoubtfulAttempts {
  readonly endpoint: string;
  readonly count: number;
  /** When the last one began, in milliseconds since 1970. */
  readonly atMs: number;
}

/** What is remembered about registrations, the newest node first. */
export interface KnownNodes {
  readonly nodes: readonly KnownNode[];
  readonly doubtful?: DoubtfulAttempts | undefined;
}

const VERSION = 1;
/** Panels that are remembered; the one used longest ago is dropped first. */
const MAX_NODES = 16;
/** More than the file and what the disk needs around it. */
const SPARE_BYTES = 8 * 1024;

/** Formats what {@linkcode parseKnownNodes} reads. */
export function formatKnownNodes(known: KnownNodes): string {
  return JSON.stringify({ version: VERSION, ...known }, null, 2) + "\n";
}

/** Parses known nodes. @throws {SyntaxError} When the text was not written by {@linkcode formatKnownNodes}. */
export function parseKnownNodes(text: string): KnownNodes {
  const { version, nodes, doubtful } = jsonFields(parseJson(text));
  if (version !== VERSION || !Array.isArray(nodes)) throw damaged();
  const parsed = nodes.map(parseKnownNode);
  return doubtful === undefined
    ? { nodes: parsed }
    : { nodes: parsed, doubtful: parseDoubtful(doubtful) };
}

/** Adds a node, which replaces the former one of its panel. */
export function withNode(nodes: readonly KnownNode[], node: KnownNode): KnownNode[] {
  return [node, ...nodes.filter(({ endpoint }) => endpoint !== node.endpoint)].slice(0, MAX_NODES);
}

/**
 * Checks that an untrusted value has a node's `uuid` and `token`, as a panel's answer and the official
 * agent's `auto-discovery.json` do.
 *
 * @throws {SyntaxError} When it has not; the message quotes nothing, since the value may hold a token.
 */
export function parseNode(value: unknown): NodeCredentials {
  const { uuid, token } = jsonFields(value);
  const isNode = typeof uuid === "string" && /^[\w-]{1,64}$/.test(uuid) &&
    typeof token === "string" && /^[!-~]{1,256}$/.test(token);
  if (!isNode) throw new SyntaxError("Cannot read the node: there is no uuid with a token");
  return { uuid, token };
}

function parseKnownNode(value: unknown): KnownNode {
  const { endpoint, registeredAtMs } = jsonFields(value);
  if (typeof endpoint !== "string") throw damaged();
  const node = { endpoint, ...parseNode(value) };
  return registeredAtMs === undefined
    ? node
    : { ...node, registeredAtMs: parseCount(registeredAtMs) };
}

function parseDoubtful(value: unknown): DoubtfulAttempts {
  const { endpoint, count, atMs } = jsonFields(value);
  if (typeof endpoint !== "string") throw damaged();
  return { endpoint, count: parseCount(count), atMs: parseCount(atMs) };
}

function parseCount(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw damaged();
  return value;
}

function damaged(): SyntaxError {
  return new SyntaxError("Cannot read the known nodes: the text is damaged");
}

/** The nodes that this machine has registered as, in the state directory. */
export class NodeStore implements Disposable {
  readonly #file: StateFile<KnownNodes>;
  readonly #ignoreDamage: boolean;

  /** @param options `ignoreDamage`: a damaged file counts as missing, instead of being an error. */
  constructor(folder: string, options: { ignoreDamage: boolean }) {
    this.#file = new StateFile(folder, { name: "auto-discovery", parse: parseKnownNodes });
    this.#ignoreDamage = options.ignoreDamage;
  }

  get path(): string {
    return this.#file.path;
  }

  /**
   * Opens the file; everything else works without a path then, so that the process can be sealed.
   *
   * @throws {Error} When it can't be made or written, or as {@linkcode read} does.
   */
  async open(): Promise<void> {
    this.read();
    await this.#file.open();
  }

  /**
   * Reads what is known.
   *
   * @throws {Error} When there is a file that can't be read: to register again would make a second
   * node at the panel.
   */
  read(): KnownNodes {
    const { value, problems } = this.#file.read();
    if (value === undefined && problems.length > 0 && !this.#ignoreDamage) {
      throw new Error(
        `Cannot read ${this.path}: it is damaged; without it the panel gets a second node, and ` +
          "--rediscover allows that",
      );
    }
    if (problems.length > 0) {
      getLogger("panel").warning("{problems}", { problems: problems.join("; ") });
    }
    return value ?? { nodes: [] };
  }

  /** Finds the node at one panel. @throws {Error} As {@linkcode read} does. */
  find(endpoint: string): KnownNode | undefined {
    return this.read().nodes.find((node) => node.endpoint === endpoint);
  }

  /** The attempts at one panel whose answers are not known. @throws {Error} As {@linkcode read} does. */
  doubtful(endpoint: string): DoubtfulAttempts | undefined {
    const { doubtful } = this.read();
    return doubtful?.endpoint === endpoint ? doubtful : undefined;
  }

  /**
   * Saves the attempts whose answers are not known, with room for a node: what can be written now can be
   * written after the panel has made one.
   *
   * @throws {Error} When it can't be written.
   */
  async setDoubtful(doubtful: DoubtfulAttempts | undefined): Promise<void> {
    const { nodes } = this.read();
    await this.#file.write(formatKnownNodes({ nodes, doubtful }).padEnd(SPARE_BYTES));
  }

  /** Saves a node. @throws {Error} When it can't be written. */
  async save(node: KnownNode): Promise<void> {
    await this.#file.write(formatKnownNodes({ nodes: withNode(this.read().nodes, node) }));
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}
