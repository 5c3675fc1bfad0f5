/**
 * Receives every message of the agent, whatever its transport: validates it and stores it.
 *
 * @module
 */

import { validateBasicInfo, validatePingResult, validateTaskResult } from "./contracts.ts";
import {
  type StoredFileResult,
  type StoredStartupConfig,
  validateFileResult,
  validateStartupConfig,
} from "./file_contract.ts";
import type { Generation } from "./generation.ts";
import type { PanelState, ReceivedBy, ReceivedMessage } from "./panel_state.ts";
import { validateReport } from "./report_contract.ts";
import type { Validation } from "./schema.ts";

/** The kinds of messages that an agent sends. */
export type MessageKind = "report" | "basic info" | "ping result" | "task result";

/** A message without its envelope, when it came and by which transport. */
export interface AgentMessage {
  readonly body: string;
  readonly atMs: number;
  readonly by: ReceivedBy;
  /** Whether the panel lacks the newer columns of basic info. */
  readonly lacksNewerColumns?: boolean;
}

/** Validates messages, stores the valid ones and records violations of the contract. */
export class MessageSink {
  readonly #token: string;
  readonly #state: PanelState;
  readonly #generation: Generation;
  /** Commands without a result so far; panels with sessions accept a result again. */
  readonly #expectedCommands = new Set<string>();

  constructor(options: { token: string; state: PanelState; generation: Generation }) {
    this.#token = options.token;
    this.#state = options.state;
    this.#generation = options.generation;
  }

  /** Expects one result of a command. */
  expectResult(taskId: string): void {
    this.#expectedCommands.add(taskId);
  }

  /** Validates a message and stores it when the panel would. */
  receive(kind: MessageKind, message: AgentMessage): Validation<unknown> {
    const { body, by, lacksNewerColumns } = message;
    const state = this.#state;
    const version = by.startsWith("v2") ? 2 : 1;
    const options = { generation: this.#generation, version } as const;
    switch (kind) {
      case "report":
        return this.#store(validateReport(body, options), message, (it) => state.addReport(it));
      case "basic info": {
        const validation = validateBasicInfo(body, { ...options, lacksNewerColumns });
        return this.#store(validation, message, (it) => state.addBasicInfo(it));
      }
      case "ping result": {
        const validation = validatePingResult(body, { ...options, tasks: state.tasks });
        return this.#store(validation, message, (it) => state.addPingResult(it));
      }
      case "task result": {
        const isKnown = (id: string) => this.#takeExpected(id);
        const validation = validateTaskResult(body, { ...options, isKnown });
        return this.#store(validation, message, (it) => state.addCommandResult(it));
      }
    }
  }

  /** Validates the result of a file operation. */
  receiveFileResult(message: AgentMessage): Validation<StoredFileResult> {
    return this.#store(validateFileResult(message.body), message, () => {});
  }

  /** Validates the answer to a request for the agent's configuration. */
  receiveStartupConfig(message: AgentMessage): Validation<StoredStartupConfig> {
    return this.#store(validateStartupConfig(message.body), message, () => {});
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

  #takeExpected(taskId: string): boolean {
    return this.#generation.hasSessions
      ? this.#expectedCommands.has(taskId)
      : this.#expectedCommands.delete(taskId);
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
