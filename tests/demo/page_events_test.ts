import { assertEquals, assertRejects } from "@std/assert";
import { PanelNode } from "../../lib/demo/node.ts";
import { streamEvents } from "../../lib/demo/page_events.ts";
import { PanelState } from "../../lib/demo/panel_state.ts";

/** The events of a node for a page. */
function opened(closing = new AbortController()) {
  const node = new PanelNode(new PanelState());
  const events = streamEvents(node, closing).body?.getReader();
  const next = async () => {
    const { value } = await events?.read() ?? {};
    return Object.keys(JSON.parse(new TextDecoder().decode(value).replace(/^data: /, "")));
  };
  return { ...node, events, next };
}

Deno.test("streamEvents() ends with the page, and with the panel", async () => {
  for (const end of ["page", "panel"]) {
    const closing = new AbortController();
    const { state, events, next } = opened(closing);
    assertEquals((await next())[0], "nowMs", "the whole state");
    state.addLogLine("one");
    assertEquals(await next(), ["log", "counts"]);
    if (end === "page") await events?.cancel();
    else closing.abort();
    let told = 0;
    Object.defineProperty(state, "counts", { get: () => told++ });
    state.addLogLine("two");
    assertEquals(told, 0, end);
  }
});

Deno.test("streamEvents() drops a page with more than 4 MiB that it has not read", async () => {
  for (const [mebibytes, isDropped] of [[3, false], [4, true]] as const) {
    const { state, events } = opened();
    for (let sent = 0; sent < mebibytes; sent++) state.addLogLine("x".repeat(1024 * 1024));
    if (isDropped) await assertRejects(async () => await events?.read(), Error, "does not read");
    else assertEquals((await events?.read())?.done, false);
    // Nobody makes an event for it any more.
    state.addLogLine("more");
  }
});
