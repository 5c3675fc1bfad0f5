import { ReportTimer } from "../../lib/agent/report_timer.ts";
import type { Config } from "../../lib/config/config.ts";
import { type LinkOwner, PanelLink } from "../../lib/panel/link.ts";
import type { PanelOrder } from "../../lib/panel/orders.ts";
import type { PanelConnection } from "../../lib/panel/panel_connection.ts";
import { toWireReport } from "../../lib/panel/protocol.ts";
import type { Transport } from "../../lib/panel/transport.ts";

/** Owns a link as the agent does: it reports a machine without values, and keeps the orders. */
export class ReportingOwner implements LinkOwner {
  readonly link: PanelLink;
  readonly orders: PanelOrder[] = [];
  reports = 0;
  readonly #connection: PanelConnection;
  readonly #timer: ReportTimer;

  constructor(
    connection: PanelConnection,
    config: Config,
    { phaseMs, signal }: { phaseMs?: number | undefined; signal: AbortSignal },
  ) {
    this.#connection = connection;
    this.link = new PanelLink(connection, this, { settings: config, signal });
    this.#timer = new ReportTimer(config.intervalSeconds, phaseMs);
  }

  async report(transport: Transport): Promise<boolean> {
    this.reports++;
    const intervalMs = this.#timer.intervalMs(transport);
    return await this.link.sendReport(toWireReport({ failures: [] }), { transport, intervalMs });
  }

  onTransport(transport: Transport | undefined): void {
    if (transport === undefined) this.#timer.stop();
    else this.#timer.start(transport, () => this.report(transport));
  }

  /** How often a connection was found dead. */
  deadConnections = 0;

  onDeadConnection(): void {
    this.deadConnections++;
  }

  onOrder(order: PanelOrder): void {
    this.orders.push(order);
  }

  /** Closes everything. */
  close(): void {
    this.#timer.stop();
    this.link.close();
    this.#connection.close();
  }
}
