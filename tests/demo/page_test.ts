import { assert, assertEquals, assertGreater } from "@std/assert";
import { pageAnswer } from "../../lib/demo/page.ts";
import { parseFault } from "../../lib/demo/fault.ts";
import { BASIC_INFO, REPORT } from "../test_panel/fake_reporter.ts";
import { report, reportSome, withPanel } from "./page_panel.ts";

withPanel.test("the page permits only its own scripts and style, and holds no token", async (panel) => {
  const response = await fetch(panel.url);
  const text = await response.text();
  const policy = response.headers.get("content-security-policy") ?? "";
  assertEquals(policy.split("; "), [
    ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"],
    ...["img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  ]);
  const headers = ["cache-control", "referrer-policy", "x-content-type-options"];
  assertEquals(headers.map((name) => response.headers.get(name)), [
    ...["no-store", "no-referrer", "nosniff"],
  ]);
  assert(!/<(script|style)>/.test(text) && !/ on\w+=/.test(text), "nothing inline");
  assert(!text.includes(panel.token));
  assert(!/(src|href)="(https?:)?\/\//.test(text), "nothing from another host");
});

Deno.test("pageAnswer() names the language", async () => {
  for (const language of ["en", "zh"] as const) {
    const text = await pageAnswer(language).text();
    assertEquals(/<html lang="(\w+)"/.exec(text)?.[1], language);
  }
});

withPanel.test("the page's files are all served, as what they are", async (panel) => {
  const names = Array.from(Deno.readDirSync(new URL("../../lib/demo/page/", import.meta.url)))
    .map(({ name }) => name).filter((name) => name !== "page.html");
  assertGreater(names.length, 4);
  for (const name of names) {
    const response = await fetch(`${panel.url}/demo/page/${name}`);
    const text = await response.text();
    const type = name.endsWith(".js") ? "text/javascript" : "text/css";
    assertEquals(response.headers.get("content-type"), `${type}; charset=utf-8`, name);
    assertEquals(response.headers.get("x-content-type-options"), "nosniff");
    for (const [, imported = ""] of text.matchAll(/from "\.\/([^"]+)"/g)) {
      assert(names.includes(imported), `${name} imports ${imported}`);
    }
  }
  for (const name of ["none.js", "..%2f..%2ffault.ts"]) {
    const missing = await fetch(`${panel.url}/demo/page/${name}`);
    await missing.body?.cancel();
    assertEquals(missing.status, 404, name);
  }
});

withPanel.test("/demo/events sends the whole state, then each change", async (panel) => {
  await reportSome(panel);
  const response = await fetch(`${panel.url}/demo/events`);
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  const events = eventsOf(response);
  const next = async () => (await events.next()).value;
  const whole = await next();
  assertEquals([whole.history.length, whole.pingHistory.length], [12, 36]);
  assertEquals([whole.report.uptime, whole.basicInfo], [REPORT.uptime, BASIC_INFO]);
  assert(!JSON.stringify(whole).includes(panel.token));
  await report(panel, REPORT);
  const change = await next();
  assertEquals([change.report.cpu, change.counts.reports], [REPORT.cpu, 13]);
  panel.state.countRefused();
  assertEquals((await next()).counts.refused, 1);
  panel.setFault(parseFault("silence"));
  assertEquals((await next()).fault, "silence", "the page outlives the silence");
  await events.return(undefined);
});

Deno.test("every text of the page's markup has a Chinese one", async () => {
  const markup = await Deno.readTextFile(new URL("../../lib/demo/page/page.html", import.meta.url));
  const named = /<(h2|h3|th|summary|button|option|span)\b([^>]*)>\s*([A-Z][^<]*?)\s*</g;
  const found = [...markup.matchAll(named)];
  assertGreater(found.length, 10);
  for (const [, , attributes = "", text] of found) assert(attributes.includes("data-zh="), text);
});

async function* eventsOf(response: Response) {
  assert(response.body !== null);
  let pending = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    pending += chunk;
    const events = pending.split("\n\n");
    pending = events.pop() ?? "";
    for (const event of events) yield JSON.parse(event.slice("data: ".length));
  }
}
