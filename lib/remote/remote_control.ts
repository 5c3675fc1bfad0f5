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

/** Handles the panel's orders of one kind, or refuses them. */
interface OrderHandler<Order> {
  /** Neither waits nor throws, whatever the panel sends. */
  handle(order: Order): void;
  /** Ends what is in progress; resolves when nothing of it is left. */
  close?(): Promise<void>;
}

/** An order that remote control handles. */
export type RemoteOrder = Exclude<PanelOrder, { kind: "probe" }>;

type OrderKind = RemoteOrder["kind"];

/** The order of a kind. */
type OrderOf<Kind extends OrderKind> = {
  [Each in Kind]: RemoteOrder & { readonly kind: Each };
}[Kind];

type OrderHandlers = { readonly [Kind in OrderKind]: OrderHandler<OrderOf<Kind>> };

/** Limit for ending everything, as the agent ends. */
const CLOSE_MS = STOP_RESULTS_MS + 50;

/** What of a panel is refused where remote control is off; its configuration is not. */
const REFUSED: Readonly<Partial<Record<OrderKind, string>>> = {
  "command": "a command",
  "terminal": "a terminal",
  "file": "a file request",
  "too long": "a long request",
  "switch version": "a version switch",
};

/** Does what the panel orders beside probes, or refuses it; everything is bounded. */
export class RemoteControl {
  /** Gets the first order that is refused, and nothing where remote control is on. */
  #observer: ProblemObserver | undefined;
  readonly #terminals: Terminals;
  readonly #longLog = LogRateLimit.once();
  readonly #handlers: OrderHandlers;

  /** @param programs `undefined` when remote control is off: all but the configuration is refused. */
  constructor(
    programs: Programs | undefined,
    panel: RemotePanel,
    config: Config,
    observer?: ProblemObserver,
  ) {
    this.#observer = programs === undefined ? observer : undefined;
    const { sender, opener } = panel;
    const idleMs = config.terminalIdleMinutes * 60_000;
    this.#terminals = new Terminals(programs, opener, { idleMs });
    const commands = new Commands(programs, sender, {
      timeoutMs: config.execTimeoutMinutes * 60_000,
    });
    const files = new Files(programs, panel, { isAllowed: config.remoteFiles });
    this.#handlers = {
      "command": commands,
      "terminal": this.#terminals,
      "file": files,
      "too long": { handle: (order) => this.#refuseLong(order, { commands, files }) },
      "startup config": new StartupConfigs(sender, config),
      // A sealed process can't look for an obstacle.
      "switch version": new VersionSwitch(programs, {
        allowDowngrade: config.allowDowngrade,
        obstacle: programs && updateObstacle(config),
      }),
    };
  }

  /** Handles an order. Neither waits nor throws. */
  handle<Kind extends OrderKind>(order: OrderOf<Kind>): void {
    const refused = REFUSED[order.kind];
    if (this.#observer !== undefined && refused !== undefined) {
      this.#observer.setProblem("remote", `${refused} of the panel was refused`);
      this.#observer = undefined;
    }
    this.#handlers[order.kind].handle(order);
  }

  /** Answers an order that was not read with its size and the limit, and logs the first one. */
  #refuseLong(
    { method, orderId, lengthBytes, limitBytes }: OrderOf<"too long">,
    { commands, files }: { commands: Commands; files: Files },
  ): void {
    this.#longLog.write(() =>
      getLogger("remote").warning(
        "Refused an order of the panel, {method}, of {lengthBytes} bytes: at most {limitBytes} are taken",
        { method: method || "of unknown name", lengthBytes, limitBytes },
      )
    );
    if (orderId === undefined) return;
    const reason = `it has ${lengthBytes} bytes, and at most ${limitBytes} are taken`;
    if (method === "agent.exec") commands.refuseLong(orderId, reason);
    if (method === "agent.file") files.refuseLong(orderId, `too long a request: ${reason}`);
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
    const closing = Object.values(this.#handlers).map((handler) => handler.close?.());
    await settlesWithin(Promise.all(closing), CLOSE_MS);
  }
}

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
