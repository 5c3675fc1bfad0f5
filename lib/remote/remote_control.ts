import type { Config } from "../config/config.ts";
import { publicConfig } from "../config/public_config.ts";
import type { Programs } from "../host/programs.ts";
import { settlesWithin } from "../async/timeout.ts";
import { STOP_RESULTS_MS } from "../panel/http_exchange.ts";
import { getLogger } from "../log/log.ts";
import { LogRateLimit } from "../log/rate_limit.ts";
import type { PanelOrder } from "../panel/orders.ts";
import type { PanelSender } from "../panel/panel_sender.ts";
import type { WebSocketOpener } from "../panel/websocket_opener.ts";
import type { ProblemObserver } from "../state/health_file.ts";
import { VERSION } from "../version.ts";
import { Commands } from "./commands.ts";
import { type FilePanel, Files } from "./files.ts";
import { ResultQueue } from "./result_queue.ts";
import { RecentIds } from "./task_queue.ts";
import { Terminals } from "./terminals.ts";
import { updateObstacle, VersionSwitch } from "./version_switch.ts";

/** The clients of one panel, by which results, terminals and files travel. */
export interface RemotePanel extends FilePanel {
  readonly opener: WebSocketOpener;
}

/** An order that remote control handles. */
export type RemoteOrder = Exclude<PanelOrder, { kind: "probe" }>;

/** The panel waits for the configuration for 20 s. */
const CONFIG_EXPIRES_MS = 20_000;

/** Memory of a configuration, roughly. */
const CONFIG_BYTES = 8192;

/** Limit for ending everything, as the agent ends. */
const CLOSE_MS = STOP_RESULTS_MS + 50;

/** What of a panel is refused where remote control is off; its configuration is not. */
const REFUSED: readonly [RemoteOrder["kind"], string][] = [
  ["command", "a command of the panel was refused"],
  ["terminal", "a terminal of the panel was refused"],
  ["file", "a file request of the panel was refused"],
  ["too long", "a long request of the panel was refused"],
  ["switch version", "a version switch of the panel was refused"],
];

/** Does what the panel orders beside probes, or refuses it; everything is bounded. */
export class RemoteControl {
  readonly #observer: ProblemObserver | undefined;
  /** Kinds of orders whose refusal, as remote control is off, was not reported yet. */
  readonly #untold: Map<RemoteOrder["kind"], string>;
  readonly #commands: Commands;
  readonly #terminals: Terminals;
  readonly #files: Files;
  readonly #versionSwitch: VersionSwitch;
  readonly #log = getLogger("remote");
  readonly #sender: PanelSender;
  readonly #config: Config;
  readonly #requested = new RecentIds();
  readonly #configs = new ResultQueue();
  readonly #longLog = LogRateLimit.once();

  /**
   * @param programs `undefined` when remote control is off: all but the configuration is refused.
   * @param observer Gets the first refused order of each kind then.
   */
  constructor(
    programs: Programs | undefined,
    panel: RemotePanel,
    config: Config,
    observer?: ProblemObserver,
  ) {
    this.#observer = observer;
    this.#untold = new Map(programs === undefined ? REFUSED : []);
    const { sender, opener } = panel;
    this.#sender = sender;
    this.#config = config;
    const idleMs = config.terminalIdleMinutes * 60_000;
    this.#terminals = new Terminals(programs, opener, idleMs);
    const timeoutMs = config.execTimeoutMinutes * 60_000;
    this.#commands = new Commands(programs, sender, timeoutMs);
    this.#files = new Files(config.remoteFiles ? programs : undefined, panel);
    // A sealed process can't look for an obstacle.
    this.#versionSwitch = new VersionSwitch(
      programs,
      programs && updateObstacle(config),
      config.allowDowngrade,
    );
  }

  /** Handles an order. Neither waits nor throws, whatever the panel sends. */
  handle(order: RemoteOrder): void {
    const refusal = this.#untold.get(order.kind);
    if (refusal !== undefined) {
      this.#untold.delete(order.kind);
      this.#observer?.setProblem("remote", refusal);
      this.#log.warning(
        "Remote control is off: {refusal} \u2192 --enable-remote-control turns it on, if that is wanted",
        { event: "refusal", refusal },
      );
    }
    switch (order.kind) {
      case "command":
        return this.#commands.handle(order);
      case "terminal":
        return this.#terminals.handle(order);
      case "file":
        return this.#files.handle(order);
      case "too long":
        return this.#refuseLong(order);
      case "startup config":
        return this.#sendConfig(order.requestId);
      case "switch version":
        return this.#versionSwitch.handle(order);
    }
  }

  /** Tells the panel the configuration, without any secret, also when remote control is off. */
  #sendConfig(requestId: string): void {
    if (!this.#requested.add(requestId)) return;
    const config = { version: VERSION, ...publicConfig(this.#config) };
    this.#configs.add({
      name: `the configuration for request ${requestId}`,
      bytes: CONFIG_BYTES,
      expiresAfterMs: CONFIG_EXPIRES_MS,
      send: (signal) => this.#sender.sendStartupConfig({ requestId, config }, signal),
    });
  }

  /** Answers an order that was not read with its size and the limit, and logs the first one. */
  #refuseLong(order: RemoteOrder & { kind: "too long" }): void {
    const { method, orderId, lengthBytes, limitBytes } = order;
    this.#longLog.write(() =>
      this.#log.warning(
        "Refused an order of the panel, {method}, of {lengthBytes} bytes: at most {limitBytes} are taken",
        { method: method || "of unknown name", lengthBytes, limitBytes },
      )
    );
    if (orderId === undefined) return;
    const reason = `it has ${lengthBytes} bytes, and at most ${limitBytes} are taken`;
    if (method === "agent.exec") this.#commands.refuseLong(orderId, reason);
    if (method === "agent.file") this.#files.refuseLong(orderId, `too long a request: ${reason}`);
  }

  /** Handles a dead connection to the panel: those of terminals are likely to be dead, too. */
  onDeadConnection(): void {
    this.#terminals.check();
  }

  /**
   * Ends everything, with all processes and unfinished uploads; takes three seconds at most, while the
   * panel does not take the results of commands or a process can't be killed, else no time.
   */
  async close(): Promise<void> {
    const closing = [this.#commands, this.#terminals, this.#files, this.#configs];
    await settlesWithin(Promise.all(closing.map((it) => it.close())), CLOSE_MS);
  }
}
