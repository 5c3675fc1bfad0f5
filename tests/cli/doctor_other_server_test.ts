import { assertEquals, assertStringIncludes } from "@std/assert";
import type { CheckResult } from "../../lib/cli/checks.ts";
import { inOrder } from "../../lib/cli/doctor_report.ts";
import { otherServer } from "../../lib/cli/doctor_other_server.ts";
import { type Way, wayTo } from "../../lib/cli/doctor_way.ts";
import { adviceText } from "./advice_text.ts";
import { FakeTime } from "../fake_time.ts";
import { configOf } from "./fake_context.ts";

const { signal } = new AbortController();

const PANEL = () => Response.json({ jsonrpc: "2.0", id: 1, error: { code: -32601, message: "" } });
const STRANGER = () => new Response("<title>Blog</title>", { status: 404 });
const OTHER_PANEL = () => Response.json({ error: "Unauthorized." }, { status: 401 });
const LIMIT = () => new Response("", { status: 503 });

/** What {@linkcode otherServer} finds of a name with these servers, in this order. */
async function found(
  ...handlers: readonly (() => Response)[]
): Promise<CheckResult | undefined> {
  const servers: Deno.HttpServer<Deno.NetAddr>[] = [];
  for (const [at, handler] of handlers.entries()) {
    const port = servers[0]?.addr.port ?? 0;
    const options = { hostname: `127.0.0.${at + 1}`, port, onListen() {} };
    servers.push(Deno.serve(options, handler));
  }
  try {
    const way = wayOf(servers[0]?.addr.port ?? 0);
    way.addresses = servers.map(({ addr }) => addr.hostname);
    return await otherServer(way, { signal });
  } finally {
    await Promise.all(servers.map((server) => server.shutdown()));
  }
}

function wayOf(port: number): Way {
  return wayTo(configOf(["doctor", "-e", `http://panel.test:${port}`, "-t", "x"]), []);
}

Deno.test("otherServer() names the address of the panel's name at which something else answers", async () => {
  const stranger = `status 404 and a page of HTML, "Blog"`;
  const table: [servers: (() => Response)[], text: string][] = [
    [[PANEL, STRANGER], `the panel answers at 127.0.0.1, and at 127.0.0.2, another address of`],
    [[PANEL, STRANGER], `the name, the answer is ${stranger}`],
    [[STRANGER, PANEL], `the panel answers at 127.0.0.2, and at 127.0.0.1, another address of`],
    [[STRANGER, PANEL], `the name, the answer is ${stranger}`],
    [[PANEL, OTHER_PANEL], "a Komari panel that does not know the token answers"],
    [[STRANGER, OTHER_PANEL], "the token answers at 127.0.0.2, and at 127.0.0.1, another"],
  ];
  for (const [servers, text] of table) {
    const seen = await found(...servers);
    assertStringIncludes(seen?.text ?? "", text);
    assertEquals([seen?.status, seen?.kind], ["failed", "other_server"], "addresses of one family");
  }
  const advice = (await found(PANEL, STRANGER))?.causes ?? [];
  assertStringIncludes(
    advice[0] ?? "",
    "127.0.0.2 is another machine, or an old one, correct the A record",
  );
  assertStringIncludes(
    advice[1] ?? "",
    "if 127.0.0.2 is the panel's machine, have the server there",
  );
  const ofPanel = adviceText(await found(PANEL, OTHER_PANEL));
  assertEquals(ofPanel.includes("have the server there"), false, "it knows the name");
});

Deno.test("otherServer() says nothing of addresses that are all alike, limit calls, or take none", async () => {
  assertEquals(await found(PANEL, PANEL), undefined);
  assertEquals(await found(STRANGER, STRANGER), undefined);
  assertEquals(await found(PANEL, LIMIT), undefined);
  assertEquals(await found(PANEL), undefined);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, PANEL);
  const way = wayOf(server.addr.port);
  way.addresses = ["127.0.0.1", "127.0.0.2"];
  assertEquals(await otherServer(way, { signal }), undefined);
  await server.shutdown();
});

Deno.test("inOrder() has an agent that does not report follow from another server at an address", () => {
  const agent = { id: "agent", title: "Agent", status: "failed", text: "", ms: 0 } as const;
  for (const id of ["tls", "panel"]) {
    const stray = { ...agent, id, status: "warning", kind: "other_server" } as const;
    const order = inOrder([{ ...agent, kind: "not_reporting" }, stray]);
    assertEquals(order.map(({ id, follows }) => [id, follows]), [["agent", id], [id, undefined]]);
  }
});

Deno.test("otherServer() takes an address that is late for another server's where the panel was late, too", async () => {
  const ends = Promise.withResolvers<Response>();
  const options = (at: number, port: number) => ({
    hostname: `127.0.0.${at + 1}`,
    port,
    onListen() {},
  });
  const first = Deno.serve(options(0, 0), () => ends.promise);
  const second = Deno.serve(options(1, first.addr.port), PANEL);
  using time = new FakeTime({ now: Date.now() });
  const way = wayOf(first.addr.port);
  way.addresses = ["127.0.0.1", "127.0.0.2"];
  const of = async (isLate: boolean) => {
    const asked = otherServer(way, { isLate, signal });
    await time.until(asked, { withinMs: 10_000 });
    return (await asked)?.text;
  };
  assertEquals(await of(false), undefined, "packets may be lost");
  assertStringIncludes(await of(true) ?? "", "a call gets none: no answer within 2.5 s");
  ends.resolve(new Response());
  await Promise.all([first.shutdown(), second.shutdown()]);
});
