import { type KnownNode, type NodeStore, withNode } from "../../lib/panel/node_store.ts";

/** A store of paper, which can be locked by others and refuse to be written to. */
export class PaperStore implements Pick<NodeStore, keyof NodeStore> {
  readonly path = "/state/auto-discovery.state";
  nodes: readonly KnownNode[] = [];
  /** What happened, in its order. */
  readonly story: string[] = [];
  isLocked = false;
  /** What writing fails by; `undefined` when it does not. */
  trouble: Error | undefined;

  read(): readonly KnownNode[] {
    return this.nodes;
  }

  find(endpoint: string): KnownNode | undefined {
    return this.nodes.find((node) => node.endpoint === endpoint);
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  lock(): Disposable | undefined {
    if (this.isLocked) return undefined;
    this.story.push("locked");
    return { [Symbol.dispose]() {} };
  }

  checkWritable(): Promise<void> {
    this.story.push("checked");
    return this.#written();
  }

  async save(node: KnownNode): Promise<void> {
    this.story.push(`kept ${node.token}`);
    await this.#written();
    this.nodes = withNode(this.nodes, node);
  }

  [Symbol.dispose](): void {}

  #written(): Promise<void> {
    return this.trouble === undefined ? Promise.resolve() : Promise.reject(this.trouble);
  }
}
