import type { Config } from "../config/config.ts";
import { publicConfig } from "../config/public_config.ts";
import type { PanelOrder } from "../panel/orders.ts";
import type { PanelSender } from "../panel/panel_sender.ts";
import { VERSION } from "../version.ts";
import { ResultQueue } from "./result_queue.ts";
import { RecentIds } from "./task_queue.ts";

/** The panel waits for the configuration for 20 s. */
const EXPIRES_MS = 20_000;

/** Memory of a configuration, roughly. */
const CONFIG_BYTES = 8192;

/** Tells the panel the configuration, without any secret; also when remote control is off. */
export class StartupConfigs {
  readonly #sender: PanelSender;
  readonly #config: Config;
  readonly #recent = new RecentIds();
  readonly #results = new ResultQueue();

  constructor(sender: PanelSender, config: Config) {
    this.#sender = sender;
    this.#config = config;
  }

  /** Sends the configuration; a duplicate is ignored. */
  handle({ requestId }: PanelOrder & { kind: "startup config" }): void {
    if (!this.#recent.add(requestId)) return;
    const config = { version: VERSION, ...publicConfig(this.#config) };
    this.#results.add({
      name: `the configuration for request ${requestId}`,
      bytes: CONFIG_BYTES,
      expiresAfterMs: EXPIRES_MS,
      send: (signal) => this.#sender.sendStartupConfig({ requestId, config }, signal),
    });
  }

  /** Drops what has not been sent. */
  async close(): Promise<void> {
    await this.#results.close();
  }
}
