import type { TestPanel } from "./test_panel.ts";

/**
 * Time after which the panel's page tries once to get a lost terminal back; here it waits on for a node
 * that can't be asked then, as a busy machine's agent takes longer.
 */
const RETRY_MS = 1_000;

/**
 * A browser with a terminal, as the panel's page behaves: its connection ends with the agent's, and it
 * comes back once, after 1.0 s.
 */
export class Browser implements Disposable {
  readonly #panel: TestPanel;
  readonly #over = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The session's id. */
  readonly id: string;
  /** How often it has come back. */
  returns = 0;

  constructor(panel: TestPanel) {
    this.#panel = panel;
    this.id = panel.terminals.request();
    const terminal = panel.terminals.get(this.id);
    let wasConnected = false;
    terminal.listen(() => {
      const isLost = wasConnected && !terminal.isConnected && !terminal.isOver;
      wasConnected = terminal.isConnected;
      if (isLost && this.#timer === undefined) this.#retry();
    }, this.#over);
  }

  /** Loads the page anew. */
  reload(): void {
    this.#panel.terminals.get(this.id).detachBrowser();
    this.#return();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#over.abort();
  }

  #retry(): void {
    this.#panel.terminals.get(this.id).detachBrowser();
    this.#returnLater();
  }

  #returnLater(): void {
    this.#timer = setTimeout(() => {
      if (this.#panel.node.isReachable) this.#return();
      else this.#returnLater();
    }, RETRY_MS);
  }

  #return(): void {
    this.#timer = undefined;
    this.returns++;
    try {
      this.#panel.terminals.request(this.id);
    } catch {
      // The panel says "Client offline!" and has dropped the session.
    }
  }
}
