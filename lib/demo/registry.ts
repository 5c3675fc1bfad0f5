import { type Answer, jsonAnswer } from "./answer.ts";
import type { RequestHead } from "./http_call.ts";

/** A node that has registered itself. */
export interface Registration {
  readonly name: string;
  readonly uuid: string;
  readonly token: string;
}

/** The panel takes no shorter keys. */
const SHORTEST_KEY = 12;

/**
 * Who may report: whoever has the panel's first token, and whoever has registered himself.
 *
 * They all count as the one node that there is.
 */
export class Registry {
  readonly #key: string;
  readonly #tokens = new Set<string>();
  readonly #registrations: Registration[] = [];

  /** Without a key nobody can register. */
  constructor(token: string, key = "") {
    this.#tokens.add(token);
    this.#key = key;
  }

  /** Every registration so far, forgotten ones too. */
  get registrations(): readonly Registration[] {
    return this.#registrations;
  }

  isKnown(token: string | null): boolean {
    return token !== null && this.#tokens.has(token);
  }

  /** Removes a node, as an administrator does. */
  forget(token: string): void {
    this.#tokens.delete(token);
  }

  /** Answers a call by which an agent registers itself. */
  register({ headers, query }: Pick<RequestHead, "headers" | "query">): Answer {
    const isKey = this.#key.length >= SHORTEST_KEY &&
      headers["authorization"] === `Bearer ${this.#key}`;
    if (!isKey) {
      return jsonAnswer(403, { status: "error", message: "Invalid AutoDiscovery Key" });
    }
    const registration = {
      name: `Auto-${query.get("name") ?? ""}`,
      uuid: crypto.randomUUID(),
      token: crypto.getRandomValues(new Uint8Array(11)).toHex(),
    };
    this.#registrations.push(registration);
    this.#tokens.add(registration.token);
    const { uuid, token } = registration;
    return jsonAnswer(200, { status: "success", message: "", data: { uuid, token } });
  }
}
