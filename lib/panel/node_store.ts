import { StateFile } from "../host/state_file.ts";
import { lockFolder } from "../host/state_lock.ts";
import { getLogger } from "../log/log.ts";
import { nodeOf, type RegisteredNode } from "./registrar.ts";

/** A node of this machine's at one panel. */
export interface KnownNode extends RegisteredNode {
  /** The panel's base URL without a slash at its end. */
  readonly endpoint: string;
  /** When it was registered here, in milliseconds since 1970; absent when it was taken over. */
  readonly registeredAtMs?: number;
}

const VERSION = 1;
/** Nobody moves between more panels; the one used longest ago goes first. */
const KEPT = 16;

/** The text that {@linkcode parseKnownNodes} reads. */
export function formatKnownNodes(nodes: readonly KnownNode[]): string {
  return JSON.stringify({ version: VERSION, nodes }, null, 2) + "\n";
}

/** @throws {SyntaxError} When the text was not written by {@linkcode formatKnownNodes}. */
export function parseKnownNodes(text: string): KnownNode[] {
  const { version, nodes }: Record<string, unknown> = { ...JSON.parse(text) };
  if (version !== VERSION || !Array.isArray(nodes)) throw damaged();
  return nodes.map(knownNode);
}

/** The nodes with one more, which takes the place of what was known of its panel before. */
export function withNode(nodes: readonly KnownNode[], node: KnownNode): KnownNode[] {
  return [node, ...nodes.filter(({ endpoint }) => endpoint !== node.endpoint)].slice(0, KEPT);
}

function knownNode(value: unknown): KnownNode {
  const { endpoint, registeredAtMs }: Record<string, unknown> = { ...Object(value) };
  if (typeof endpoint !== "string") throw damaged();
  const node = { endpoint, ...nodeOf(value) };
  if (registeredAtMs === undefined) return node;
  if (!isTime(registeredAtMs)) throw damaged();
  return { ...node, registeredAtMs };
}

function damaged(): SyntaxError {
  return new SyntaxError("Cannot read the known nodes: the text is damaged");
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

const NAME = "auto-discovery.json";
/** The file and what the disk needs around it. */
const PROOF_BYTES = 8 * 1024;

/** As which nodes this machine has registered, kept from one run to the next. */
export class NodeStore {
  readonly #file: StateFile<KnownNode[]>;
  readonly #forgives: boolean;

  /** `forgives` says that a damaged file counts as none, and is no error. */
  constructor(folder: string, options: { forgives: boolean }) {
    this.#file = new StateFile(folder, { name: NAME, parse: parseKnownNodes });
    this.#forgives = options.forgives;
  }

  get path(): string {
    return this.#file.path;
  }

  /**
   * Every node that is known, the newest first.
   *
   * @throws {Error} When there is a file that can't be read: to register anew would make a second
   * node at the panel.
   */
  read(): readonly KnownNode[] {
    const { value, troubles } = this.#file.read();
    if (value === undefined && troubles.length > 0 && !this.#forgives) {
      throw new Error(
        `Cannot read ${this.path}: it is damaged; without it the panel gets a second node, and ` +
          "--rediscover allows that",
      );
    }
    if (troubles.length > 0) {
      getLogger("panel").warning("{troubles}", { troubles: troubles.join("; ") });
    }
    return value ?? [];
  }

  /** The node at one panel. @throws {Error} As {@linkcode read} does. */
  find(endpoint: string): KnownNode | undefined {
    return this.read().find((node) => node.endpoint === endpoint);
  }

  /**
   * Takes the right to register for this process alone; `undefined` when another has it.
   *
   * @throws {Error} When the folder can't be made or written to.
   */
  lock(): Deno.FsFile | undefined {
    return lockFolder(this.#file.folder, { name: "auto-discovery.lock" });
  }

  /** Shows that a node could be kept. @throws {Error} When it could not. */
  async prove(): Promise<void> {
    const path = `${this.path}.try`;
    try {
      // One that is there was left by a process that was killed, or leads elsewhere.
      await Deno.remove(path).catch(() => {});
      using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
      try {
        const written = await file.write(new Uint8Array(PROOF_BYTES));
        if (written < PROOF_BYTES) throw new Error("no space is left");
        await file.sync();
      } finally {
        await Deno.remove(path);
      }
    } catch (cause) {
      throw new Error(`Cannot write to the folder ${this.#file.folder}`, { cause });
    }
  }

  /** Keeps a node. @throws {Error} When it can't be written. */
  async keep(node: KnownNode): Promise<void> {
    await this.#file.write(formatKnownNodes(withNode(this.read(), node)));
  }
}
