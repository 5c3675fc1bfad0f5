import { assertEquals } from "@std/assert";
import { type KnownNode, type NodeStore, withNode } from "../../lib/panel/node_store.ts";
import { NodeRegistration } from "../../lib/panel/registration.ts";
import type { RegistrationOutcome } from "../../lib/panel/registration_client.ts";

/** A store in memory, which can be locked by others and refuse to be written to. */
export class FakeStore implements Pick<NodeStore, keyof NodeStore> {
  readonly path = "/state/auto-discovery.state";
  nodes: readonly KnownNode[] = [];
  /** What was done, in its order. */
  readonly calls: string[] = [];
  isLocked = false;
  /** Locks that were taken and not given back. */
  held = 0;
  isClosed = false;
  /** The error of each write, if there is one. */
  error: Error | undefined;

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
    this.calls.push("locked");
    this.held++;
    return { [Symbol.dispose]: () => void this.held-- };
  }

  checkWritable(): Promise<void> {
    this.calls.push("checked");
    return this.#write();
  }

  async save(node: KnownNode): Promise<void> {
    this.calls.push(`saved ${node.token}`);
    await this.#write();
    this.nodes = withNode(this.nodes, node);
  }

  [Symbol.dispose](): void {
    this.isClosed = true;
  }

  #write(): Promise<void> {
    return this.error === undefined ? Promise.resolve() : Promise.reject(this.error);
  }
}

export const ENDPOINT = "https://panel.example";
export const NODE = { endpoint: ENDPOINT, uuid: "u", token: "t" };

/** A machine that registers itself, at a panel that answers as a test says. */
export class RegisteringMachine {
  readonly store = new FakeStore();
  /** Why it was not registered, one after the other. */
  readonly problems: (string | undefined)[] = [];
  /** The tokens in use, one after the other. */
  readonly tokens: string[] = [];
  /** When it asked to register, in seconds. */
  readonly askedAtSeconds: number[] = [];
  /** What becomes of its first tries; then it goes by {@linkcode answer}. */
  readonly outcomes: RegistrationOutcome[] = [];
  answer: () => RegistrationOutcome | Promise<RegistrationOutcome> = () => ({
    kind: "registered",
    node: { uuid: NODE.uuid, token: NODE.token },
  });
  isTokenKnown: () => Promise<boolean> = () => Promise.resolve(true);
  /** The text of an official agent's file. */
  official: string | undefined;
  readonly stop = new AbortController();

  /** Times that it asked to register. */
  get asked(): number {
    return this.askedAtSeconds.length;
  }

  registration({ rediscover = false } = {}): NodeRegistration {
    const { store, official, tokens, stop: { signal } } = this;
    return new NodeRegistration({ endpoint: ENDPOINT, rediscover }, {
      store,
      client: {
        register: () => {
          store.calls.push("asked");
          this.askedAtSeconds.push(Math.round(performance.now() / 1000));
          return Promise.resolve(this.outcomes.shift() ?? this.answer());
        },
        isTokenKnown: () => this.isTokenKnown(),
      },
      official: official === undefined ? undefined : { path: "/opt/a.json", text: official },
      onToken: (token) => void tokens.push(token),
      observer: { setProblem: (_part, text) => void this.problems.push(text) },
      signal,
    });
  }

  /** Finds the node, and gives it as it is saved; `undefined` when the signal has aborted. */
  async find(): Promise<KnownNode | undefined> {
    await using registration = this.registration();
    const isFound = await registration.find();
    assertEquals(this.store.held, 0);
    if (!isFound) return undefined;
    const node = this.store.find(ENDPOINT);
    assertEquals(registration.token, node?.token);
    assertEquals(registration.endpoint, ENDPOINT);
    return node;
  }
}
