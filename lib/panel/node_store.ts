import { StateFile } from "../state/state_file.ts";
import { FolderLock } from "../state/state_lock.ts";
import { getLogger } from "../log/log.ts";
import { jsonFields, parseJson } from "../parse/json.ts";

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

const VERSION = 1;
/** Panels that are remembered; the one used longest ago is dropped first. */
const MAX_NODES = 16;

/** Formats nodes as the text that {@linkcode parseKnownNodes} reads. */
export function formatKnownNodes(nodes: readonly KnownNode[]): string {
  return JSON.stringify({ version: VERSION, nodes }, null, 2) + "\n";
}

/** Parses known nodes. @throws {SyntaxError} When the text was not written by {@linkcode formatKnownNodes}. */
export function parseKnownNodes(text: string): KnownNode[] {
  const { version, nodes } = jsonFields(parseJson(text));
  if (version !== VERSION || !Array.isArray(nodes)) throw damaged();
  return nodes.map(parseKnownNode);
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
  if (registeredAtMs === undefined) return node;
  const isTime = typeof registeredAtMs === "number" && Number.isSafeInteger(registeredAtMs);
  if (!isTime || registeredAtMs < 0) throw damaged();
  return { ...node, registeredAtMs };
}

function damaged(): SyntaxError {
  return new SyntaxError("Cannot read the known nodes: the text is damaged");
}

const NAME = "auto-discovery";
/** More than the file and what the disk needs around it. */
const SPARE_BYTES = 8 * 1024;

/** The nodes that this machine has registered as, in the state directory. */
export class NodeStore implements Disposable {
  readonly #file: StateFile<KnownNode[]>;
  readonly #ignoreDamage: boolean;
  #lock: FolderLock | undefined;

  /** @param options `ignoreDamage`: a damaged file counts as missing, instead of being an error. */
  constructor(folder: string, options: { ignoreDamage: boolean }) {
    this.#file = new StateFile(folder, { name: NAME, parse: parseKnownNodes });
    this.#ignoreDamage = options.ignoreDamage;
  }

  get path(): string {
    return this.#file.path;
  }

  /**
   * Opens the file and its lock; everything else works without a path then, so that the process can
   * be sealed.
   *
   * @throws {Error} When they can't be made or written, or as {@linkcode read} does.
   */
  async open(): Promise<void> {
    this.read();
    const lock = FolderLock.open(this.#file.folder, { name: `${NAME}.lock` });
    try {
      await this.#file.open();
      this.#lock = lock;
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Reads the known nodes, the newest first.
   *
   * @throws {Error} When there is a file that can't be read: to register again would make a second
   * node at the panel.
   */
  read(): readonly KnownNode[] {
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
    return value ?? [];
  }

  /** Finds the node at one panel. @throws {Error} As {@linkcode read} does. */
  find(endpoint: string): KnownNode | undefined {
    return this.read().find((node) => node.endpoint === endpoint);
  }

  /**
   * Locks registration for this process until the result is disposed of; `undefined` when another
   * process has the lock.
   */
  lock(): Disposable | undefined {
    const lock = this.#lock;
    if (lock === undefined || !lock.tryLock()) return undefined;
    return { [Symbol.dispose]: () => lock.unlock() };
  }

  /** Checks that a node can be saved. @throws {Error} When it could not. */
  async checkWritable(): Promise<void> {
    await this.#file.write(formatKnownNodes(this.read()).padEnd(SPARE_BYTES));
  }

  /** Saves a node. @throws {Error} When it can't be written. */
  async save(node: KnownNode): Promise<void> {
    await this.#file.write(formatKnownNodes(withNode(this.read(), node)));
  }

  [Symbol.dispose](): void {
    this.#lock?.[Symbol.dispose]();
    this.#lock = undefined;
    this.#file[Symbol.dispose]();
  }
}
