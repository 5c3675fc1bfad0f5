import {
  type DoubtfulAttempts,
  type KnownNode,
  type KnownNodes,
  type NodeStore,
  withNode,
} from "../../lib/panel/node_store.ts";
import { NodeRegistration } from "../../lib/panel/registration.ts";
import type { RegistrationOutcome } from "../../lib/panel/registration_client.ts";

/** A store in memory, which can refuse to be written to. */
export class FakeStore implements Pick<NodeStore, keyof NodeStore> {
  readonly path = "/state/auto-discovery.state";
  known: KnownNodes = { nodes: [] };
  /** What was done, in its order. */
  readonly calls: string[] = [];
  isClosed = false;
  /** The error of each write, if there is one. */
  error: Error | undefined;

  read(): KnownNodes {
    return this.known;
  }

  find(endpoint: string): KnownNode | undefined {
    return this.known.nodes.find((node) => node.endpoint === endpoint);
  }

  doubtful(): DoubtfulAttempts | undefined {
    return this.known.doubtful;
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  setDoubtful(doubtful: DoubtfulAttempts | undefined): Promise<void> {
    return this.#write(`in doubt ${doubtful?.count ?? 0}`, { ...this.known, doubtful });
  }

  save(node: KnownNode): Promise<void> {
    return this.#write(`saved ${node.token}`, { nodes: withNode(this.known.nodes, node) });
  }

  [Symbol.dispose](): void {
    this.isClosed = true;
  }

  #write(call: string, known: KnownNodes): Promise<void> {
    this.calls.push(call);
    if (this.error !== undefined) return Promise.reject(this.error);
    this.known = known;
    return Promise.resolve();
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
    node: { uuid: `u${this.asked}`, token: `t${this.asked}` },
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
        diagnose: () => undefined,
      },
      official: official === undefined ? undefined : { path: "/opt/a.json", text: official },
      onToken: (token) => void tokens.push(token),
      observer: { setProblem: (_part, text) => void this.problems.push(text) },
      signal,
    });
  }

  /** The token of the node that it finds; `undefined` when the signal has aborted. */
  async find(): Promise<string | undefined> {
    await using registration = this.registration();
    return await registration.find() ? registration.token : undefined;
  }
}
