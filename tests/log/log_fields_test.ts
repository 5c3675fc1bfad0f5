import { assertEquals } from "@std/assert";
import { getLogger } from "../../lib/log/log.ts";
import { NetDialer } from "../../lib/net/dialer.ts";
import { MessageLimit } from "../../lib/panel/message_limit.ts";
import { createPanelFetch } from "../../lib/panel/http_exchange.ts";
import { OutageLog } from "../../lib/panel/outages.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { Prober } from "../../lib/probe/prober.ts";
import { fakePolicy } from "../probe/fake_names.ts";
import { collectedLog } from "./collected_log.ts";

const { signal } = new AbortController();

/** The events that are logged meanwhile as JSON, without their time. */
async function events(use: () => unknown): Promise<Record<string, unknown>[]> {
  const options = { level: "debug", format: "json", secrets: ["s3cret"] } as const;
  const lines = await collectedLog(async () => void await use(), options);
  return lines.map((line) => ({ ...JSON.parse(line), time: undefined }));
}

Deno.test("the JSON format has the properties of an event as fields, without secrets, and its panel", async () => {
  const [event] = await events(() =>
    getLogger("agent").info("Took {ms} ms", {
      ms: 1.5,
      ok: true,
      error: new Error("Cannot\nuse s3cret"),
      list: ["a", "b"],
      text: "not repeated",
      gone: undefined,
      ...{ component: "not the component", level: "error", message: "x" },
      panel: "http://p\n.example",
    })
  );
  assertEquals(event, {
    time: undefined,
    level: "info",
    component: "agent",
    panel: "http://p .example",
    message: "Took 1.5 ms",
    ms: 1.5,
    ok: true,
    error: "Cannot use …",
    list: "a,b",
  });
});

Deno.test("connections, calls, outages and probes are logged with what they are about", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const answer = { status: 400, headers: new Map(), text: "" };
  const client = { request: () => Promise.resolve(answer) };
  const access = { endpoint: "http://p", token: "" };
  const fetch = createPanelFetch(access, { client, headers: [], limit: new MessageLimit() });
  const call = { name: "ask (POST /x)", path: "/x", headers: [], timeoutMs: 1000 } as const;
  const refusal = new PanelError("Cannot send report: refused", { failure: "unreachable" });
  const ping = "64 bytes from x: icmp_seq=1 ttl=64 time=7.9 ms";
  const found = await events(async () => {
    (await new NetDialer().dial(new URL(`http://127.0.0.1:${port}`), { signal })).stream.close();
    await fetch({ ...call, method: "POST", body: "12345" }, signal);
    const log = new OutageLog();
    for (const error of [refusal, undefined]) log.onOutcome(error, "report");
    const prober = new Prober({ ping: () => Promise.resolve(ping) }, fakePolicy());
    await prober.probe({ kind: "icmp", host: "127.0.0.1" }, { signal });
  });
  const shown = found.map(({ component, event, message: _, level: __, time: ___, ...fields }) => {
    const words = Object.entries(fields).map(([name, value]) =>
      name === "ms" || name === "seconds" ? name : `${name}=${value}`
    );
    return `${component} ${event}: ${words.sort().join(", ")}`;
  });
  assertEquals(shown, [
    `net connected: address=127.0.0.1, family=4, host=127.0.0.1, ms, port=${port}`,
    "panel call: call=ask (POST /x), ms, sentBytes=5, status=400",
    `panel outage started: call=report, error=${refusal.message}`,
    "panel outage ended: call=report, failures=1, seconds",
    "probe probe: host=127.0.0.1, kind=icmp, ms",
  ]);
});
