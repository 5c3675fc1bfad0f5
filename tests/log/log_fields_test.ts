import { assertEquals } from "@std/assert";
import { getLogger, roundMs, setUpLog } from "../../lib/log/log.ts";
import { NetDialer } from "../../lib/net/dialer.ts";
import { MessageLimit } from "../../lib/panel/message_limit.ts";
import { createPanelFetch } from "../../lib/panel/http_exchange.ts";
import { OutageLog } from "../../lib/panel/outages.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { Prober } from "../../lib/probe/prober.ts";
import { fakePolicy } from "../probe/fake_names.ts";

const { signal } = new AbortController();

/** The events that are logged meanwhile as JSON, without their time. */
async function events(use: () => unknown): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  const options = { format: "json", secrets: ["s3cret"], forJournal: false } as const;
  setUpLog({
    ...options,
    level: "debug",
    write(line) {
      const { time: _, ...event } = JSON.parse(line);
      found.push(event);
    },
  });
  try {
    await use();
  } finally {
    setUpLog({ ...options, level: "error", write: () => {} });
  }
  return found;
}

Deno.test("the JSON format has the properties of an event as fields, without secrets", async () => {
  const [event] = await events(() =>
    getLogger("agent").info("Took {ms} ms", {
      ms: 1.5,
      ok: true,
      error: new Error("Cannot\nuse s3cret"),
      list: ["a", "b"],
      text: "not repeated",
      gone: undefined,
      component: "not the component",
    })
  );
  assertEquals(event, {
    level: "info",
    component: "agent",
    message: "Took 1.5 ms",
    ms: 1.5,
    ok: true,
    error: "Cannot use …",
    list: "a,b",
  });
});

Deno.test("the JSON format has the panel of an event that names it, and no other as level or message", async () => {
  const [event] = await events(() =>
    getLogger("agent").info("Connected", {
      panel: "http://p\n.example",
      level: "error",
      message: "x",
    })
  );
  const fixed = { level: "info", component: "agent", message: "Connected" };
  assertEquals(event, { ...fixed, panel: "http://p .example" });
});

Deno.test("NetDialer.dial() logs the address, its family and the time", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const [event] = await events(async () => {
    const { stream } = await new NetDialer().dial(new URL(`http://127.0.0.1:${port}`), { signal });
    stream.close();
  });
  const { ms, message: _, ...rest } = event ?? {};
  assertEquals(typeof ms, "number");
  const address = "127.0.0.1";
  const place = { host: address, port, address, family: 4 };
  assertEquals(rest, { level: "debug", component: "net", event: "connected", ...place });
});

Deno.test("createPanelFetch() logs the status, the time and the bytes of a call", async () => {
  const answer = { status: 400, headers: new Map(), text: "" };
  const client = { request: () => Promise.resolve(answer) };
  const access = { endpoint: "http://p", token: "" };
  const fetch = createPanelFetch(access, { client, headers: [], limit: new MessageLimit() });
  const call = { name: "ask (POST /x)", path: "/x", headers: [], timeoutMs: 1000 } as const;
  const [event] = await events(() => fetch({ ...call, method: "POST", body: "12345" }, signal));
  const { ms, message: _, ...rest } = event ?? {};
  assertEquals(typeof ms, "number");
  const fields = { event: "call", call: "ask (POST /x)", status: 400, sentBytes: 5 };
  assertEquals(rest, { level: "debug", component: "panel", ...fields });
});

Deno.test("OutageLog logs outages with the call and the error", async () => {
  const error = new PanelError("Cannot send report: refused", { failure: "unreachable" });
  const found = await events(() => {
    const log = new OutageLog();
    log.onOutcome(error, "report");
    log.onOutcome(undefined, "report");
  });
  const fields = found.map(({ event, call, error }) => ({ event, call, error }));
  assertEquals(fields, [
    { event: "outage started", call: "report", error: error.message },
    { event: "outage ended", call: "report", error: undefined },
  ]);
});

Deno.test("Prober.probe() logs each result", async () => {
  const shell = { ping: () => Promise.resolve("64 bytes from x: icmp_seq=1 ttl=64 time=7.9 ms") };
  const prober = new Prober(shell, fakePolicy());
  const found = await events(() => prober.probe({ kind: "icmp", host: "127.0.0.1" }, { signal }));
  assertEquals(found, [{
    level: "debug",
    component: "probe",
    message: "icmp probe of 127.0.0.1: 7 ms",
    ...{ event: "probe", kind: "icmp", host: "127.0.0.1", ms: 7 },
  }]);
});

Deno.test("roundMs() keeps one decimal below 10", () => {
  assertEquals([0.04, 1.26, 9.94, 12.6].map(roundMs), [0, 1.3, 9.9, 13]);
});
