import { EventEmitter } from "node:events";
import { assertEquals } from "@std/assert";
import { PanelNode } from "../../lib/demo/node.ts";
import { streamEvents } from "../../lib/demo/page_events.ts";
import { PanelState } from "../../lib/demo/panel_state.ts";

/** The answer to a page, without a network. */
class FakeResponse extends EventEmitter {
  readonly events: string[][] = [];
  writableLength = 0;
  isDestroyed = false;

  writeHead(): void {}

  write(text: string): void {
    this.events.push(Object.keys(JSON.parse(text.replace(/^data: /, ""))));
  }

  destroy(): void {
    this.isDestroyed = true;
  }

  /** As the type of the runtime's. */
  // deno-lint-ignore no-explicit-any -- a fake has what is used of it
  get response(): any {
    return this;
  }
}

Deno.test("streamEvents() ends with the page, and with the panel", () => {
  for (const end of ["page", "panel"]) {
    const node = new PanelNode(new PanelState());
    const closing = new AbortController();
    const page = new FakeResponse();
    streamEvents(page.response, node, closing);
    assertEquals(page.events.length, 1, "the whole state");
    node.state.addLogLine("one");
    assertEquals(page.events[1], ["log", "counts"]);
    if (end === "page") page.emit("close");
    else closing.abort();
    node.state.addLogLine("two");
    assertEquals(page.events.length, 2, end);
  }
});

Deno.test("streamEvents() drops a page with more than 4 MiB that it has not read", () => {
  for (const [bytes, isDestroyed] of [[4 * 1024 * 1024, false], [4 * 1024 * 1024 + 1, true]]) {
    const page = new FakeResponse();
    page.writableLength = Number(bytes);
    streamEvents(page.response, new PanelNode(new PanelState()), new AbortController());
    assertEquals(page.isDestroyed, isDestroyed);
  }
});
