import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { SystemResolver } from "../../lib/net/dns.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import {
  RegistrationClient,
  type RegistrationOutcome,
} from "../../lib/panel/registration_client.ts";
import { sameLater } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { configOf } from "../metrics/config_of.ts";
import { startHttpProxy } from "../net/fake_proxies.ts";
import { withRawServer } from "../net/raw_server.ts";
import { realUntil } from "../real_deadline.ts";
import { restoring } from "../restoring.ts";
import { CLOSED_PORT } from "../free_port.ts";

const KEY = "d1scovery-k3y";
const never = new AbortController().signal;

function createClient(
  endpoint: string,
  { args = [], env = {} }: { args?: string[]; env?: Record<string, string> } = {},
): RegistrationClient {
  return new RegistrationClient({ ...configOf(args, env), endpoint, autoDiscoveryKey: KEY });
}

/** What becomes of a try when the panel answers so. */
async function answered(status: number, body: string): Promise<RegistrationOutcome> {
  const outcomes: RegistrationOutcome[] = [];
  await withRawServer(async (peer) => {
    await peer.request();
    await peer.answer(body, [], `${status} Whatever`);
  }, async ({ origin }) => {
    outcomes.push(await createClient(origin).register(never));
  });
  const [outcome] = outcomes;
  assert(outcome !== undefined);
  return outcome;
}

const NODE = { uuid: "u-1", token: "s3cret" };
const SUCCESS = JSON.stringify({ status: "success", message: "", data: NODE });

Deno.test("RegistrationClient.register() sends the key and the name, and gives the node", async () => {
  const requests: string[] = [];
  const bodies: string[] = [];
  await withRawServer(async (peer) => {
    const { head, body } = await peer.request() ?? { head: "", body: "" };
    requests.push(head);
    bodies.push(body);
    await peer.answer(SUCCESS);
  }, async ({ origin }) => {
    const args = ["--header", "X-Door: open", "--header", "Authorization: Basic cHJveHk="];
    using _ = restoring(Deno, "hostname");
    Deno.hostname = () => "a b/ü";
    const one = createClient(`${origin}/base`, { args });
    // As in a sealed process.
    Deno.hostname = () => {
      throw new Deno.errors.NotCapable("requires sys access");
    };
    assertEquals(await one.register(never), { kind: "registered", node: NODE });
  });
  const [head = ""] = requests;
  assertStringIncludes(head, "POST /base/api/clients/register?name=a%20b%2F%C3%BC HTTP/1.1\r\n");
  assertStringIncludes(head.toLowerCase(), "x-door: open\r\n");
  assertStringIncludes(head.toLowerCase(), "user-agent: komari-agent-deno/");
  assertStringIncludes(head.toLowerCase(), "accept: application/json\r\n");
  assertStringIncludes(head.toLowerCase(), "content-type: application/json\r\n");
  assertEquals(head.match(/^authorization: .*$/gim), [`authorization: Bearer ${KEY}`]);
  assertEquals(bodies, [JSON.stringify({ key: KEY })]);
});

Deno.test("RegistrationClient leaves no connection open", async () => {
  let ended = 0;
  await withRawServer(async (peer) => {
    const { head } = await peer.request() ?? { head: "" };
    const isRegistration = head.includes("/register?");
    if (isRegistration) await peer.answer(SUCCESS);
    else await peer.answer('{"id":1,"error":{"code":-32601}}', [], "400 Bad Request");
    await peer.ended();
    ended++;
  }, async ({ origin }) => {
    assertEquals((await createClient(origin).register(never)).kind, "registered");
    await realUntil(() => ended === 1);
    assertEquals(await createClient(origin).isTokenKnown("t", never), true);
    await realUntil(() => ended === 2);
  });
});

Deno.test("RegistrationClient.register() uses the configured proxy", async () => {
  await using proxy = startHttpProxy({
    answer: `HTTP/1.1 200 OK\r\nContent-Length: ${SUCCESS.length}\r\n\r\n${SUCCESS}`,
  });
  const env = { HTTP_PROXY: `http://127.0.0.1:${proxy.port}` };
  const outcome = await createClient("http://panel.invalid", { env }).register(never);
  assertEquals(outcome.kind, "registered");
  assertStringIncludes(
    proxy.requests.join(),
    `http://panel.invalid/api/clients/register?name=${Deno.hostname()}`,
  );
});

Deno.test("RegistrationClient.register() tells refusals, failures, and answers by which there may be a node", async () => {
  const invalid = '{"status":"error","message":"Invalid AutoDiscovery Key"}';
  await sameLater(
    async ([status, body]) => {
      const outcome = await answered(status, body);
      const text = Deno.inspect(outcome);
      assertEquals([text.includes("s3cret"), text.includes(KEY)], [false, false]);
      return outcome.kind;
    },
    [
      [[401, invalid], "refused"],
      [[403, invalid], "refused"],
      [[403, "<html>go away"], "refused"],
      [[302, ""], "failed"],
      [[404, "404 page not found"], "failed"],
      [[404, '{"status":"error","message":"Not found in install mode"}'], "failed"],
      [[429, ""], "failed"],
      [[500, '{"status":"error","message":"Failed to create client"}'], "failed"],
      [[502, "<html>Bad Gateway</html>"], "failed"],
      [[503, ""], "failed"],
      [[200, "<!DOCTYPE html><html>"], "failed"],
      [[200, '{"status":"success","data":{}}'], "doubtful"],
      [[200, SUCCESS.slice(0, -9)], "doubtful"],
      [[504, "<html>Gateway Time-out</html>"], "doubtful"],
      [[408, ""], "doubtful"],
      [[522, ""], "doubtful"],
      [[524, ""], "doubtful"],
    ] as const,
  );
});

Deno.test("RegistrationClient.diagnose() names the cause, and blames no key for what answers in place of a panel", async () => {
  await sameLater(
    async ([status, body]) => {
      const outcome = await answered(status, body);
      assert(outcome.kind !== "registered");
      const { cause, reason } = createClient("http://panel.example").diagnose(outcome.error) ?? {};
      return `${cause}: ${reason}`;
    },
    [
      [
        [403, '{"message":"Invalid AutoDiscovery Key"}'],
        'key of auto-discovery: the panel rejects the auto-discovery key: status 403, "Invalid AutoDiscovery Key"',
      ],
      [
        [403, "<title>Forbidden</title>"],
        'forbidden: a server in front of the panel refuses this machine: status 403 and a page of HTML, "Forbidden"',
      ],
      [
        [404, "404 page not found"],
        'no panel: no Komari panel at this address: status 404, "404 page not found"',
      ],
    ] as const,
  );
});

Deno.test("RegistrationClient.register() is doubtful when the connection ends after the request, not before", async () => {
  await withRawServer(async (peer) => {
    await peer.request();
  }, async ({ origin }) => {
    const outcome = await createClient(origin).register(never);
    assert(outcome.kind === "doubtful");
  });
  const outcome = await createClient(`http://127.0.0.1:${CLOSED_PORT}`).register(never);
  assert(outcome.kind === "failed");
  assertEquals(outcome.error.failure, "unreachable");
});

Deno.test("RegistrationClient.register() accepts an answer soon after the signal aborts, and no later one", async () => {
  const stop = new AbortController();
  await withRawServer(async (peer) => {
    await peer.request();
    stop.abort();
    await peer.answer(SUCCESS);
  }, async ({ origin }) => {
    assertEquals((await createClient(origin).register(stop.signal)).kind, "registered");
    await assertRejects(() => createClient(origin).register(stop.signal), DOMException);
  });
  using time = new FakeTime();
  const other = new AbortController();
  await withRawServer(async (peer) => {
    await peer.request();
    other.abort();
    await peer.readSome();
  }, async ({ origin }) => {
    const registration = createClient(origin).register(other.signal);
    registration.catch(() => {});
    await realUntil(() => other.signal.aborted);
    assertEquals(await time.until(registration, { withinMs: 30_000 }), 500);
    await assertRejects(() => registration, DOMException);
  });
});

Deno.test("RegistrationClient.register() has failed, and is not in doubt, when it ends before anything was sent", async () => {
  const hanging = () => new Promise<string[]>(() => {});
  const system = new SystemResolver({ lookUp: hanging, lookUpHosts: hanging });
  const config = { ...configOf(), endpoint: "http://panel.test", autoDiscoveryKey: KEY };
  const stop = new AbortController();
  using time = new FakeTime();
  const registering = new RegistrationClient(config, system).register(stop.signal);
  stop.abort();
  await time.run(500);
  assertEquals((await registering).kind, "failed");
});

Deno.test("RegistrationClient gives a panel 30 s to answer", async () => {
  const asked: string[] = [];
  await withRawServer(async (peer) => {
    asked.push((await peer.request())?.head ?? "");
    await peer.ended();
  }, async ({ origin }) => {
    using time = new FakeTime();
    const client = createClient(origin);
    const registering = client.register(never);
    await realUntil(() => asked.length === 1);
    assertEquals(await time.until(registering, { withinMs: 60_000, stepMs: 500 }), 30_000);
    assertEquals((await registering).kind, "doubtful");
    const asking = assertRejects(() => client.isTokenKnown("t", never), PanelError, "within 30 s");
    await realUntil(() => asked.length === 2);
    assertEquals(await time.until(asking, { withinMs: 60_000, stepMs: 500 }), 30_000);
  });
});

Deno.test("RegistrationClient.isTokenKnown() asks by version 2, and by version 1 where there is none", async () => {
  const v2 = "GET /api/clients/v2/rpc?token=s3cret%2F ";
  const v1 = "GET /api/clients/ping/tasks?token=s3cret%2F ";
  const v2Header = "GET /api/clients/v2/rpc HTTP";
  const v1Header = "GET /api/clients/ping/tasks HTTP";
  const known = '{"error":"Require WebSocket upgrade","status":"error"}';
  const answers: [head: string, status: string, body: string][] = [
    [v2, "400 Bad Request", known],
    [v2, "401 Unauthorized", ""],
    [v2Header, "401 Unauthorized", ""],
    [v2, "502 Bad Gateway", '{"error":"no upstream"}'],
    [v2, "404 Not Found", "404 page not found"],
    [v1, "200 OK", "[]"],
    [v2, "404 Not Found", "404 page not found"],
    [v1, "401 Unauthorized", ""],
    [v1Header, "401 Unauthorized", ""],
    // A panel that takes the token in a header only.
    [v2, "401 Unauthorized", ""],
    [v2Header, "400 Bad Request", known],
  ];
  let count = 0;
  await withRawServer(async (peer) => {
    for (let asked; (asked = await peer.request()) !== undefined;) {
      const [head = "", status = "", body = ""] = answers[count++] ?? [];
      assertStringIncludes(asked.head, head);
      await peer.answer(body, [], status);
    }
  }, async ({ origin }) => {
    const one = createClient(origin);
    assertEquals(await one.isTokenKnown("s3cret/", never), true);
    assertEquals(await one.isTokenKnown("s3cret/", never), false);
    await assertRejects(() => one.isTokenKnown("s3cret/", never), PanelError);
    assertEquals(await one.isTokenKnown("s3cret/", never), true);
    assertEquals(await one.isTokenKnown("s3cret/", never), false);
    assertEquals(await one.isTokenKnown("s3cret/", never), true);
  });
  assertEquals(count, answers.length);
});
