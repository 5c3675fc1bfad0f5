/**
 * The agent's loops: reports, basic info, probe tasks and results.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { getLogger } from "./log.ts";
import type { HttpPanel } from "./panel/http_panel.ts";
import { Outbox } from "./panel/outbox.ts";
import { Pace } from "./panel/pace.ts";
import { Troubles } from "./panel/troubles.ts";
import { PanelError } from "./errors.ts";
import { toWireBasicInfo, toWireProbeResult, toWireReport } from "./protocol.ts";
import type { Addresses, MachineFacts, ProbeResult, ProbeTask, Snapshot } from "./types.ts";

const TASKS_INTERVAL_MS = 30_000;
/** A first report that hangs does not keep the rest from starting. */
const FIRST_REPORT_GRACE_MS = 250;
/** What is under way when the agent is told to stop has so long to arrive. */
const STOP_GRACE_MS = 500;
const RESULTS_AT_A_TIME = 16;
/** The panel dates a result by its arrival, so a long queue would be a false one. */
const RESULTS_WAITING = 1000;
const FIRST_INFO_RETRY_MS = 5_000;

/** What the agent works with. */
export interface AgentParts {
  readonly panel: Pick<
    HttpPanel,
    "sendReport" | "sendBasicInfo" | "sendProbeResult" | "fetchTasks"
  >;
  readonly intervalMs: number;
  readonly infoIntervalMs: number;
  readonly version: string;
  takeSnapshot(): Snapshot;
  /** Never rejects but by the signal; what can't be found out is absent. */
  lookUpAddresses(signal: AbortSignal): Promise<Addresses>;
  /** Called once, when the first report is out and before anything that a panel asks for is done. */
  afterFirstReport(onResult: (result: ProbeResult) => void): AfterFirstReport;
}

/** What is only needed when the first report is out. */
export interface AfterFirstReport {
  readonly facts: MachineFacts;
  readonly probes: ProbeRunner;
}

/** What repeats the probes. */
export interface ProbeRunner {
  update(tasks: readonly ProbeTask[]): void;
  stop(): void;
}

/** Reports to one panel until it is told to stop. */
export class Agent {
  readonly #parts: AgentParts;
  readonly #log = getLogger("panel");
  readonly #troubles = new Troubles(() => performance.now());
  /** Ends the calls that are under way, a moment after the loops. */
  readonly #calls = new AbortController();
  #snapshot: Snapshot | undefined;
  #accepted = false;
  #withoutNewColumns = false;
  #skippedTasks = "";
  readonly #firstOutcome = Promise.withResolvers<void>();
  readonly #results = new Outbox<ProbeResult>({
    deliver: (result) => this.#sendResult(result),
    parallel: RESULTS_AT_A_TIME,
    capacity: RESULTS_WAITING,
  });

  constructor(parts: AgentParts) {
    this.#parts = parts;
  }

  /** Resolves when everything has ended after `signal` aborted. */
  async run(signal: AbortSignal): Promise<void> {
    let grace: ReturnType<typeof setTimeout> | undefined;
    signal.addEventListener("abort", () => {
      grace = setTimeout(() => this.#calls.abort(), STOP_GRACE_MS);
    }, { once: true });
    const reports = this.#reportLoop(signal);
    await Promise.race([this.#firstOutcome.promise, quietDelay(FIRST_REPORT_GRACE_MS, signal)]);
    const { facts, probes } = this.#parts.afterFirstReport((result) => this.#results.add(result));
    try {
      await Promise.all([reports, this.#infoLoop(facts, signal), this.#taskLoop(probes, signal)]);
    } finally {
      probes.stop();
      await this.#results.close();
      clearTimeout(grace);
      this.#calls.abort();
    }
  }

  async #reportLoop(signal: AbortSignal): Promise<void> {
    const { intervalMs } = this.#parts;
    const pace = new Pace(performance.now(), { intervalMs, random: Math.random });
    while (!signal.aborted) {
      const snapshot = this.#parts.takeSnapshot();
      this.#snapshot = snapshot;
      const accepted = await this.#try(
        "report",
        (calls) => this.#parts.panel.sendReport(toWireReport(snapshot), calls),
      );
      if (accepted && !this.#accepted) {
        this.#accepted = true;
        this.#log.info("First report accepted");
      }
      this.#firstOutcome.resolve();
      await quietDelay(pace.next(performance.now(), accepted), signal);
    }
  }

  async #infoLoop(facts: MachineFacts, signal: AbortSignal): Promise<void> {
    const { infoIntervalMs } = this.#parts;
    let retryMs = FIRST_INFO_RETRY_MS;
    let addresses: Addresses = {};
    while (!signal.aborted) {
      const lookup = this.#parts.lookUpAddresses(signal).catch((): Addresses => ({}));
      let accepted = await this.#sendBasicInfo(facts, addresses);
      const found = await lookup;
      const isNew = found.ipv4 !== addresses.ipv4 || found.ipv6 !== addresses.ipv6;
      addresses = found;
      if (isNew && accepted && !signal.aborted) {
        accepted = await this.#sendBasicInfo(facts, addresses);
      }
      await quietDelay(accepted ? infoIntervalMs : Math.min(retryMs, infoIntervalMs), signal);
      retryMs = accepted ? FIRST_INFO_RETRY_MS : retryMs * 2;
    }
  }

  #sendBasicInfo(facts: MachineFacts, addresses: Addresses): Promise<boolean> {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return Promise.resolve(false);
    const send = (calls: AbortSignal) => {
      const { panel, version } = this.#parts;
      const withoutNewColumns = this.#withoutNewColumns;
      const info = toWireBasicInfo({ facts, snapshot, addresses, version, withoutNewColumns });
      return panel.sendBasicInfo(info, calls);
    };
    return this.#try("basic info", async (calls) => {
      try {
        await send(calls);
      } catch (error) {
        if (!isRejected(error) || this.#withoutNewColumns) throw error;
        this.#withoutNewColumns = true;
        try {
          await send(calls);
          this.#log.info("The panel takes basic info only without the newer fields");
        } catch {
          this.#withoutNewColumns = false;
          throw error;
        }
      }
    });
  }

  async #taskLoop(probes: ProbeRunner, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#try("task list", async (calls) => {
        const { tasks, skipped } = await this.#parts.panel.fetchTasks(calls);
        if (!signal.aborted) probes.update(tasks);
        this.#tellSkipped(skipped);
      });
      await quietDelay(TASKS_INTERVAL_MS, signal);
    }
  }

  /** Says once which tasks can't be run, and again when they change. */
  #tellSkipped(skipped: readonly string[]): void {
    const text = skipped.slice(0, 5).join(", ");
    if (text !== this.#skippedTasks && text !== "") {
      const more = skipped.length > 5 ? ` and ${skipped.length - 5} more` : "";
      this.#log.warning("Skipping probe tasks that can't be run: {text}", { text: text + more });
    }
    this.#skippedTasks = text;
  }

  async #sendResult(result: ProbeResult): Promise<void> {
    await this.#try(
      "probe result",
      (calls) => this.#parts.panel.sendProbeResult(toWireProbeResult(result), calls),
    );
  }

  /** Makes a call, and says what is new about the panel; whether the call went well. */
  async #try(name: string, call: (calls: AbortSignal) => Promise<void>): Promise<boolean> {
    const { signal } = this.#calls;
    try {
      await call(signal);
      const event = this.#troubles.succeeded(name);
      if (event !== undefined) this.#log.info("{text}", { text: event.text });
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const event = this.#troubles.failed(name, error);
      if (event !== undefined) this.#log.warning("{text}; trying again", { text: event.text });
      return false;
    }
  }
}

function isRejected(error: unknown): boolean {
  return error instanceof PanelError && error.failure === "rejected";
}

/** Waits, and ends without an error when the signal does. */
async function quietDelay(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, { signal }).catch(() => {});
}
