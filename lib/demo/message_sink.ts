/**
 * Receives every message of the agent, whatever its transport: validates it and stores it.
 *
 * @module
 */

import { validateBasicInfo, validatePingResult, validateTaskResult } from "./contracts.ts";
import type { PanelState, ReceivedMessage, Transport } from "./panel_state.ts";
import { validateReport } from "./report_contract.ts";
import type { Validation } from "./schema.ts";

/** The kinds of messages that an agent sends. */
export type MessageKind = "report" | "basic info" | "ping result" | "task result";

/** A message without its envelope, when it came and by which transport. */
export interface AgentMessage {
  readonly body: string;
  readonly atMs: number;
  readonly by: Transport;
  /** Whether the panel lacks the newer columns of basic info. */
  readonly oldPanel?: boolean;
}

/** Validates messages, stores the valid ones and records violations of the contract. */
export class MessageSink {
  readonly #token: string;
  readonly #state: PanelState;
  /** Commands without a result so far. */
  readonly #pendingCommands = new Set<string>();

  constructor(options: { token: string; state: PanelState }) {
    this.#token = options.token;
    this.#state = options.state;
  }

  /** Expects one result of a command. */
  expectResult(taskId: string): void {
    this.#pendingCommands.add(taskId);
  }

  /** Validates a message and stores it when the panel would. */
  receive(kind: MessageKind, message: AgentMessage): Validation<unknown> {
    const { body, by, oldPanel } = message;
    const state = this.#state;
    switch (kind) {
      case "report":
        return this.#store(validateReport(body), message, (it) => state.addReport(it));
      case "basic info":
        return this.#store(
          validateBasicInfo(body, { oldPanel }),
          message,
          (it) => state.addBasicInfo(it),
        );
      case "ping result": {
        const options = { tasks: state.tasks, readsTime: by.startsWith("v2") };
        return this.#store(
          validatePingResult(body, options),
          message,
          (it) => state.addPingResult(it),
        );
      }
      case "task result": {
        const options = { isKnown: (id: string) => this.#pendingCommands.delete(id) };
        return this.#store(
          validateTaskResult(body, options),
          message,
          (it) => state.addCommandResult(it),
        );
      }
    }
  }

  /** Records violations of the contract, without the token. */
  addViolations(texts: readonly string[], atMs: number): void {
    for (const text of texts) {
      this.#state.addViolation({ atMs, text: text.replaceAll(this.#token, "[token]") });
    }
  }

  /** Rejects a message whose kind or content can't be read. */
  reject(text: string, atMs: number): void {
    this.addViolations([text], atMs);
    this.#state.count("refused");
  }

  /** Records a violation when a message holds the token. */
  checkForToken(message: string, options: { subject: string; atMs: number }): void {
    if (!message.includes(this.#token)) return;
    this.addViolations([`${options.subject}: holds the token`], options.atMs);
  }

  #store<T>(
    validation: Validation<T>,
    { atMs, by, body }: AgentMessage,
    add: (message: ReceivedMessage<T>) => void,
  ): Validation<T> {
    this.addViolations(validation.violations, atMs);
    if (validation.accepted) add({ atMs, by, body, value: validation.value });
    else this.#state.count("refused");
    return validation;
  }
}
