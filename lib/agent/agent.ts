/**
 * The work for one panel: reports, basic info, probe tasks, and the panel's orders.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { backoffMs } from "../async/backoff.ts";
import type { Config } from "../config/config.ts";
import { getLogger } from "../log/log.ts";
import type { PublicAddresses } from "../metrics/public_addresses.ts";
import type { Rates } from "../metrics/rates.ts";
import type { Sampler } from "../metrics/snapshot.ts";
import { STOP_GRACE_MS } from "../panel/http_exchange.ts";
import { type LinkOwner, PanelLink } from "../panel/link.ts";
import type { PanelOrder } from "../panel/orders.ts";
import type { PanelConnection } from "../panel/panel_connection.ts";
import { failureOf } from "../panel/panel_error.ts";
import { toWireReport } from "../panel/protocol.ts";
import type { Transport } from "../panel/transport.ts";
import type { RemoteControl } from "../remote/remote_control.ts";
import type { Addresses, MachineFacts } from "../types.ts";
import { VERSION } from "../version.ts";
import type { PanelProbes } from "./panel_probes.ts";
import type { ReportTimer } from "./report_timer.ts";

const TASKS_INTERVAL_MS = 30_000;
/** A node that was deleted in the panel is noticed within two minutes. */
const TOKEN_CHECK_MS = 100_000;
const FIRST_INFO_RETRY_MS = 5_000;
/** A reason that nothing reads: the runtime would create one with a stack trace, in milliseconds. */
const CHANGED = "the transport has changed";

/** The machine that an {@linkcode Agent} reports, and the handlers of its panel's orders. */
export interface AgentOptions {
  readonly config: Config;
  readonly sampler: Sampler;
  readonly rates: Rates;
  /** Asked for its facts at each basic info: cores may come and go. */
  readonly machine: { facts(): MachineFacts };
  readonly addresses: PublicAddresses;
  readonly probes: PanelProbes;
  readonly control: RemoteControl;
  readonly timer: ReportTimer;
  /** Ends the agent; calls in flight have a moment more. */
  readonly signal: AbortSignal;
}

/** Reports to one panel. */
export class Agent implements LinkOwner {
  readonly #connection: PanelConnection;
  readonly #options: AgentOptions;
  readonly #link: PanelLink;
  readonly #log = getLogger("panel");
  /** Whether the panel refuses the newer fields of basic info. */
  #withoutNewColumns = false;
  #skippedTasks = "";
  #transport: Transport | undefined;
  /** That of the connection that was asked about pings last. */
  #askedTransport: Transport | undefined;
  /** Aborts at the next change of the transport, and at the end. */
  #transportChanged = new AbortController();

  constructor(connection: PanelConnection, options: AgentOptions) {
    const { config, signal } = options;
    this.#connection = connection;
    this.#options = options;
    this.#link = new PanelLink(connection, this, { settings: config, signal });
  }

  /** Resolves when everything has ended after the signal has aborted. */
  async run(): Promise<void> {
    const { timer, probes, control, signal } = this.#options;
    let grace: ReturnType<typeof setTimeout> | undefined;
    let closing: Promise<void> | undefined;
    signal.addEventListener("abort", () => {
      // Orders that still come are refused.
      closing = control.close();
      grace = setTimeout(() => this.#connection.close(), STOP_GRACE_MS);
      timer.stop();
      this.#transportChanged.abort(CHANGED);
    }, { once: true });
    try {
      await Promise.all([this.#link.run(), this.#infoLoop(), this.#taskLoop(), this.#tokenLoop()]);
    } finally {
      await Promise.all([probes.close(), closing ?? control.close()]);
      clearTimeout(grace);
      this.#link.close();
      this.#connection.close();
    }
  }

  /** Measures and sends a report; whether the panel has accepted it or was not asked. */
  async report(transport: Transport): Promise<boolean> {
    const { sampler, rates, timer } = this.#options;
    const report = toWireReport(rates.report(sampler.take()));
    const intervalMs = timer.intervalMs(transport);
    const isAccepted = await this.#link.sendReport(report, { transport, intervalMs });
    if (isAccepted && transport === this.#transport && timer.isCapped(transport)) {
      this.#askForInterval(transport);
    }
    return isAccepted;
  }

  /** Asks once a connection whether the panel lets pings keep it, so that reports keep their interval. */
  async #askForInterval(transport: Transport): Promise<void> {
    if (this.#askedTransport === transport) return;
    this.#askedTransport = transport;
    const { sender, calls } = this.#connection;
    const { socket } = sender;
    const isKept = transport.version === 2 && await sender.acceptsPings(calls);
    if (this.#transport !== transport || this.#options.signal.aborted) return;
    if (isKept) socket?.keepAlive();
    this.#options.timer.setKept(isKept);
  }

  /** Reports by this transport from now on; not at all when it is `undefined`. */
  onTransport(transport: Transport | undefined): void {
    this.#transport = transport;
    const { timer } = this.#options;
    if (transport === undefined) timer.stop();
    else timer.start(transport, () => this.report(transport));
    this.#transportChanged.abort(CHANGED);
    this.#transportChanged = new AbortController();
  }

  /** Handles an order of the panel. */
  onOrder(order: PanelOrder): void {
    const { probes, control } = this.#options;
    if (order.kind === "probe") probes.runOnce(order.probe);
    else control.handle(order);
  }

  /** Handles a connection to the panel that was found dead. */
  onDeadConnection(): void {
    this.#options.control.onDeadConnection();
  }

  async #infoLoop(): Promise<void> {
    const { config, addresses: publicAddresses, signal } = this.#options;
    const infoIntervalMs = config.infoIntervalMinutes * 60_000;
    let failures = 0;
    let addresses: Addresses = {};
    while (!signal.aborted) {
      await this.#waitForTransport();
      let accepted = await this.#sendBasicInfo(addresses);
      // Not at the same time: the runtime's first TLS takes 25 ms, which the first report would wait for.
      const found = await publicAddresses.lookup(signal).catch((): Addresses => ({}));
      const isNew = found.ipv4 !== addresses.ipv4 || found.ipv6 !== addresses.ipv6;
      addresses = found;
      if (isNew && accepted && !signal.aborted) accepted = await this.#sendBasicInfo(addresses);
      const retryMs = backoffMs(failures, { baseMs: FIRST_INFO_RETRY_MS, maxMs: infoIntervalMs });
      await quietDelay(accepted ? infoIntervalMs : retryMs, signal);
      failures = accepted ? 0 : failures + 1;
    }
  }

  async #sendBasicInfo(addresses: Addresses): Promise<boolean> {
    const { sampler, machine } = this.#options;
    const snapshot = sampler.latest?.snapshot ?? sampler.take();
    const { sender, calls } = this.#connection;
    const send = (withoutNewColumns: boolean) =>
      sender.sendBasicInfo({
        ...{ facts: machine.facts(), snapshot, addresses, version: VERSION },
        withoutNewColumns,
      }, calls);
    return await this.#connection.observe("basic info", async () => {
      try {
        await send(this.#withoutNewColumns);
      } catch (refusal) {
        if (failureOf(refusal) !== "rejected" || this.#withoutNewColumns) throw refusal;
        await send(true).catch(() => {
          throw refusal;
        });
        this.#withoutNewColumns = true;
        this.#log.info("The panel accepts basic info only without the newer fields");
      }
    });
  }

  /** Whether the panel makes its tasks known by a list; else it orders each run. */
  get #fetchesTasks(): boolean {
    return this.#transport?.version === 1 && this.#transport.carrier === "POST";
  }

  /** Asks for tasks while that is how the panel makes them known; else it orders each run. */
  async #taskLoop(): Promise<void> {
    const { probes, signal } = this.#options;
    const { clientV1, calls } = this.#connection;
    let asking = false;
    while (!signal.aborted) {
      const changed = this.#transportChanged.signal;
      if (this.#fetchesTasks) {
        asking = true;
        await this.#connection.observe("task list", async () => {
          const { tasks, skipped } = await clientV1.fetchTasks(calls);
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

  /**
   * Asks now and then whether the panel knows the token, while reports go by WebSocket: one that has removed
   * the node accepts them there all the same, and refuses only the next connection.
   */
  async #tokenLoop(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      await quietDelay(TOKEN_CHECK_MS, signal);
      if (this.#transport?.carrier !== "WebSocket" || signal.aborted) continue;
      // Where it can't be asked, as behind a proxy that blocks the call, nothing is known.
      const isKnown = await this.#connection.isTokenKnown(this.#connection.calls)
        .catch(() => undefined);
      if (isKnown !== false || signal.aborted) continue;
      this.#log.debug("The panel does not know this token any more: its WebSocket is closed");
      this.#link.close();
    }
  }

  /** Waits until something goes through. */
  async #waitForTransport(): Promise<void> {
    while (this.#transport === undefined && !this.#options.signal.aborted) {
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
}

/** Waits, and ends without an error when the signal does. */
async function quietDelay(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, { signal }).catch(() => {});
}

/** Resolves when the signal aborts, which has not aborted yet. */
async function aborted(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
