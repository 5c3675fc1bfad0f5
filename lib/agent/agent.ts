/**
 * The work for one panel: reports, basic info, probe tasks, and the panel's orders.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { backoffMs } from "../backoff.ts";
import { BoundedQueue } from "../bounded_queue.ts";
import { getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import { STOP_GRACE_MS } from "../panel/call_timeouts.ts";
import type { ClientV1 } from "../panel/client_v1.ts";
import type { LinkListener, PanelLink } from "../panel/link.ts";
import type { PanelSender } from "../panel/panel_sender.ts";
import type { PanelOrder } from "../panel/messages.ts";
import type { PanelObserver } from "../panel/observer.ts";
import { PanelError } from "../panel/panel_error.ts";
import { toWireReport, type WireReport } from "../panel/protocol.ts";
import type { Transport } from "../panel/transport.ts";
import type { RemoteOrder } from "../remote/remote_control.ts";
import type { Addresses, MachineFacts, ProbeResult, ProbeTask, Snapshot } from "../types.ts";

const TASKS_INTERVAL_MS = 30_000;
const RESULTS_AT_A_TIME = 16;
/** The panel dates a result by its arrival, so a long queue would be a false one. */
const RESULTS_WAITING = 1000;
const FIRST_INFO_RETRY_MS = 5_000;
/** A reason that nothing reads: the runtime would create one with a stack trace, in milliseconds. */
const CHANGED = "the transport has changed";

/** Dependencies of an {@linkcode Agent}. */
export interface AgentParts {
  /** Makes the link; `signal` ends its loops, and `calls` aborts calls in flight a moment later. */
  openLink(
    listener: LinkListener,
    signals: { signal: AbortSignal; calls: AbortSignal },
  ): PanelLink;
  readonly sender: PanelSender;
  readonly http: Pick<ClientV1, "fetchTasks">;
  readonly observers: readonly PanelObserver[];
  readonly infoIntervalMs: number;
  readonly version: string;
  takeSnapshot(): Snapshot;
  /** Never rejects but by the signal; what can't be found out is absent. */
  lookUpAddresses(signal: AbortSignal): Promise<Addresses>;
  /** Called once, before the link is opened. */
  openServices(onResult: (result: ProbeResult) => void): Services;
}

/** Everything that an agent does for its panel beside reporting. */
export interface Services {
  /** Asked for at each basic info: cores may come and go. */
  readonly facts: () => MachineFacts;
  readonly probes: ProbeRunner;
  readonly control: Controller;
}

/** Runs probes, repeatedly or once. */
export interface ProbeRunner {
  /** Repeats these from now on, each at its own interval, and no others. */
  update(tasks: readonly ProbeTask[]): void;
  /** Runs one once. */
  runOnce(order: PanelOrder & { kind: "probe" }): void;
  stop(): void;
}

/** Handles the orders that are no probe. */
export interface Controller {
  handle(order: RemoteOrder): void;
  close(): Promise<void>;
}

/** Reports to one panel until its signal aborts. */
export class Agent {
  readonly #parts: AgentParts;
  readonly #log = getLogger("panel");
  readonly #noticeLog = new LogRateLimit({ lines: 1, periodMs: 60_000 });
  /** Aborts calls in flight, a moment after the loops have ended. */
  readonly #calls = new AbortController();
  #snapshot: Snapshot | undefined;
  #withoutNewColumns = false;
  #skippedTasks = "";
  #transport: Transport | undefined;
  /** Aborts at the next change of the transport, and at the end. */
  #transportChanged = new AbortController();

  constructor(parts: AgentParts) {
    this.#parts = parts;
  }

  /** Resolves when everything has ended after `signal` aborted. */
  async run(signal: AbortSignal): Promise<void> {
    let grace: ReturnType<typeof setTimeout> | undefined;
    signal.addEventListener("abort", () => {
      grace = setTimeout(() => this.#calls.abort(), STOP_GRACE_MS);
      this.#transportChanged.abort(CHANGED);
    }, { once: true });
    const results = new BoundedQueue<ProbeResult>({
      run: (result) => this.#sendResult(result),
      concurrency: RESULTS_AT_A_TIME,
      capacity: RESULTS_WAITING,
      whenFull: "drop oldest",
    });
    const services = this.#parts.openServices((result) => results.add(result));
    const link = this.#parts.openLink({
      createReport: () => this.#createReport(),
      onOrder: (order) => this.#handleOrder(order, services),
      onTransport: (transport) => this.#onTransport(transport),
    }, { signal, calls: this.#calls.signal });
    try {
      await Promise.all([
        link.run(),
        this.#infoLoop(services.facts, signal),
        this.#taskLoop(services.probes, signal),
      ]);
    } finally {
      services.probes.stop();
      await Promise.all([results.close(), services.control.close()]);
      clearTimeout(grace);
      this.#calls.abort();
      link.close();
    }
  }

  #createReport(): WireReport {
    this.#snapshot = this.#parts.takeSnapshot();
    return toWireReport(this.#snapshot);
  }

  #onTransport(transport: Transport | undefined): void {
    this.#transport = transport;
    this.#transportChanged.abort(CHANGED);
    this.#transportChanged = new AbortController();
  }

  #handleOrder(order: PanelOrder, { probes, control }: Services): void {
    switch (order.kind) {
      case "probe":
        return probes.runOnce(order);
      case "notice":
        return this.#logNotice(order.text);
      default:
        return control.handle(order);
    }
  }

  #logNotice(text: string): void {
    if (!this.#noticeLog.allows()) return;
    const more = this.#noticeLog.takeSuppressed();
    this.#log.info("The panel says: {notice}{more}", { notice: text, more });
  }

  async #infoLoop(facts: () => MachineFacts, signal: AbortSignal): Promise<void> {
    const { infoIntervalMs } = this.#parts;
    let failures = 0;
    let addresses: Addresses = {};
    while (!signal.aborted) {
      await this.#waitForTransport(signal);
      const lookup = this.#parts.lookUpAddresses(signal).catch((): Addresses => ({}));
      let accepted = await this.#sendBasicInfo(facts, addresses);
      const found = await lookup;
      const isNew = found.ipv4 !== addresses.ipv4 || found.ipv6 !== addresses.ipv6;
      addresses = found;
      if (isNew && accepted && !signal.aborted) {
        accepted = await this.#sendBasicInfo(facts, addresses);
      }
      const retryMs = backoffMs(failures, { baseMs: FIRST_INFO_RETRY_MS, maxMs: infoIntervalMs });
      await quietDelay(accepted ? infoIntervalMs : retryMs, signal);
      failures = accepted ? 0 : failures + 1;
    }
  }

  async #sendBasicInfo(facts: () => MachineFacts, addresses: Addresses): Promise<boolean> {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return false;
    const send = () => {
      const withoutNewColumns = this.#withoutNewColumns;
      const { version, sender } = this.#parts;
      return sender.sendBasicInfo(
        { facts: facts(), snapshot, addresses, version, withoutNewColumns },
        this.#calls.signal,
      );
    };
    return await this.#try("basic info", async () => {
      try {
        await send();
      } catch (error) {
        if (!isRejected(error) || this.#withoutNewColumns) throw error;
        this.#withoutNewColumns = true;
        try {
          await send();
          this.#log.info("The panel accepts basic info only without the newer fields");
        } catch {
          this.#withoutNewColumns = false;
          throw error;
        }
      }
    });
  }

  /** Whether the panel makes its tasks known by a list; else it orders each run. */
  get #fetchesTasks(): boolean {
    return this.#transport?.version === 1 && this.#transport.carrier === "POST";
  }

  /** Asks for tasks while that is how the panel makes them known; else it orders each run. */
  async #taskLoop(probes: ProbeRunner, signal: AbortSignal): Promise<void> {
    let asking = false;
    while (!signal.aborted) {
      const changed = this.#transportChanged.signal;
      if (this.#fetchesTasks) {
        asking = true;
        await this.#try("task list", async () => {
          const { tasks, skipped } = await this.#parts.http.fetchTasks(this.#calls.signal);
          if (!signal.aborted && this.#fetchesTasks) probes.update(tasks);
          this.#logSkipped(skipped);
        });
        await quietDelay(TASKS_INTERVAL_MS, changed);
      } else {
        // While nothing goes through, what was asked for goes on.
        if (this.#transport !== undefined && asking) {
          asking = false;
          probes.update([]);
        }
        await aborted(changed);
      }
    }
  }

  /** Waits until something goes through. */
  async #waitForTransport(signal: AbortSignal): Promise<void> {
    while (this.#transport === undefined && !signal.aborted) {
      await aborted(this.#transportChanged.signal);
    }
  }

  /** Says once which tasks can't be run, and again when they change. */
  #logSkipped(skipped: readonly string[]): void {
    const text = skipped.slice(0, 5).join(", ");
    if (text !== this.#skippedTasks && text !== "") {
      const more = skipped.length > 5 ? ` and ${skipped.length - 5} more` : "";
      this.#log.warning("Skipping probe tasks that can't be run: {tasks}", { tasks: text + more });
    }
    this.#skippedTasks = text;
  }

  async #sendResult(result: ProbeResult): Promise<void> {
    await this.#try(
      "probe result",
      () => this.#parts.sender.sendProbeResult(result, this.#calls.signal),
    );
  }

  /** Makes a call, and says what is new about the panel; whether the call went well. */
  async #try(name: string, call: () => Promise<void>): Promise<boolean> {
    try {
      await call();
      this.#notify(undefined, name);
      return true;
    } catch (error) {
      if (!this.#calls.signal.aborted) this.#notify(error, name);
      return false;
    }
  }

  #notify(error: unknown, call: string): void {
    for (const observer of this.#parts.observers) observer.onOutcome?.(error, call);
  }
}

function isRejected(error: unknown): boolean {
  return error instanceof PanelError && error.failure === "rejected";
}

/** Waits, and ends without an error when the signal does. */
async function quietDelay(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, { signal }).catch(() => {});
}

/** Resolves when the signal aborts. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
