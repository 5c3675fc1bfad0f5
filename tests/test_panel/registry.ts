/**
 * The tokens that the panel knows, and auto-discovery.
 *
 * @module
 */

import { type Answer, jsonAnswer } from "./http.ts";
import type { RequestHead } from "./http.ts";

/** A node that has registered by auto-discovery. */
export interface RegisteredNodeEntry {
  readonly name: string;
  readonly uuid: string;
  readonly token: string;
}

/** The panel refuses shorter keys. */
const MIN_KEY_LENGTH = 12;

/**
 * The tokens that may report: the panel's first one, and those of registered nodes.
 *
 * They all count as the panel's only node.
 */
export class Registry {
  readonly #key: string;
  readonly #tokens = new Set<string>();
  readonly #registrations: RegisteredNodeEntry[] = [];

  /** Without a key registration is refused. */
  constructor(token: string, key = "") {
    this.#tokens.add(token);
    this.#key = key;
  }

  /** Every registration so far, removed ones included. */
  get registrations(): readonly RegisteredNodeEntry[] {
    return this.#registrations;
  }

  isKnown(token: string | null): boolean {
    return token !== null && this.#tokens.has(token);
  }

  /** Removes the node of a token, as an administrator does. */
  remove(token: string): void {
    this.#tokens.delete(token);
  }

  /** Answers a call to register. */
  register({ headers, query }: Pick<RequestHead, "headers" | "query">): Answer {
    const isKey = this.#key.length >= MIN_KEY_LENGTH &&
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
