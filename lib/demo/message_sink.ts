/**
 * Where every message ends, whatever way it came: held against the contract and remembered.
 *
 * @module
 */

import { checkBasicInfo, checkPingResult, checkTaskResult } from "./contracts.ts";
import type { Arrival, PanelState, Transport } from "./panel_state.ts";
import { checkReport } from "./report_contract.ts";
import type { Verdict } from "./validation.ts";

/** The kinds of messages that an agent sends. */
export type MessageKind = "report" | "basic info" | "ping result" | "task result";

/** When and how a message came. */
export interface Coming {
  readonly atMs: number;
  readonly by: Transport;
  /** Whether it meets a panel that lacks the newer columns of basic info. */
  readonly oldPanel?: boolean;
}

/** Takes or refuses messages, and writes down what is wrong with them. */
export class Intake {
  readonly #token: string;
  readonly #state: PanelState;
  /** The commands whose results are due. */
  readonly #due = new Set<string>();

  constructor(options: { token: string; state: PanelState }) {
    this.#token = options.token;
    this.#state = options.state;
  }

  /** Awaits the result of a command. */
  expect(taskId: string): void {
    this.#due.add(taskId);
  }

  /** Takes a message without its envelope. */
  take(kind: MessageKind, message: { body: string } & Coming): Verdict<unknown> {
    const { body } = message;
    const state = this.#state;
    switch (kind) {
      case "report":
        return this.#settle(checkReport(body), (one) => state.addReport(one), message);
      case "basic info": {
        const options = message.oldPanel === undefined ? {} : { oldPanel: message.oldPanel };
        return this.#settle(
          checkBasicInfo(body, options),
          (one) => state.addBasicInfo(one),
          message,
        );
      }
      case "ping result": {
        const verdict = checkPingResult(body, {
          tasks: state.tasks,
          readsTime: message.by.startsWith("v2"),
        });
        return this.#settle(verdict, (one) => state.addPingResult(one), message);
      }
      case "task result": {
        const verdict = checkTaskResult(body, { isKnown: (id) => this.#due.delete(id) });
        return this.#settle(verdict, (one) => state.addCommandResult(one), message);
      }
    }
  }

  /** Writes down what the contract forbids. */
  note(texts: readonly string[], atMs: number): void {
    for (const text of texts) {
      this.#state.addViolation({ atMs, text: text.replaceAll(this.#token, "[token]") });
    }
  }

  /** Refuses a message before its kind or content was looked at. */
  refuse(text: string, atMs: number): void {
    this.note([text], atMs);
    this.#state.count("refused");
  }

  /** Writes it down when a message holds the token. */
  search(message: string, options: { what: string; atMs: number }): void {
    if (!message.includes(this.#token)) return;
    this.note([`${options.what}: holds the token`], options.atMs);
  }

  #settle<T>(
    verdict: Verdict<T>,
    add: (arrival: Arrival<T>) => void,
    { atMs, by, body }: { body: string } & Coming,
  ): Verdict<T> {
    this.note(verdict.violations, atMs);
    if (verdict.accepted) add({ atMs, by, body, value: verdict.value });
    else this.#state.count("refused");
    return verdict;
  }
}
