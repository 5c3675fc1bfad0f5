import type { Config } from "../config/config.ts";
import type { Programs } from "../host/programs.ts";
import { settlesWithin } from "../async/timeout.ts";
import type { PanelOrder } from "../panel/orders.ts";
import type { WebSocketOpener } from "../panel/websocket_opener.ts";
import { Commands } from "./commands.ts";
import { type FilePanel, Files } from "./files.ts";
import { StartupConfigs } from "./startup_configs.ts";
import { LongOrders } from "./long_orders.ts";
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
const CLOSE_MS = 450;

/** Does what the panel orders beside probes, or refuses it; everything is bounded. */
export class RemoteControl {
  readonly #terminals: Terminals;
  readonly #handlers: OrderHandlers;

  /** @param programs `undefined` when remote control is off: all but the configuration is refused. */
  constructor(programs: Programs | undefined, panel: RemotePanel, config: Config) {
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
      "too long": new LongOrders({ commands, files }),
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
    this.#handlers[order.kind].handle(order);
  }

  /** Handles a dead connection to the panel: those of terminals are likely to be dead, too. */
  onDeadConnection(): void {
    this.#terminals.check();
  }

  /** Ends everything, with all processes and unfinished uploads; takes half a second at most. */
  async close(): Promise<void> {
    const closing = Object.values(this.#handlers).map((handler) => handler.close?.());
    await settlesWithin(Promise.all(closing), CLOSE_MS);
  }
}
