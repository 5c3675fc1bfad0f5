import { assert, assertEquals, assertRejects } from "@std/assert";
import { PanelError } from "../../lib/panel/panel_error.ts";
import {
  RegistrationClient,
  type RegistrationOutcome,
} from "../../lib/panel/registration_client.ts";
import { cases, sameLater } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { configOf } from "../metrics/config_of.ts";
import { type RawPeer, withRawServer } from "../net/raw_server.ts";
import { realUntil } from "../real_deadline.ts";
import { restoring } from "../restoring.ts";
import { CLOSED_PORT } from "../free_port.ts";

const KEY = "d1scovery-k3y";
const NODE = { uuid: "u-1", token: "s3cret" };
const SUCCESS = JSON.stringify({ status: "success", message: "", data: NODE });
const never = new AbortController().signal;

function clientOf(
  endpoint: string,
  { args = [], env = {} }: { args?: string[]; env?: Record<string, string> } = {},
): RegistrationClient {
  return new RegistrationClient({ ...configOf(args, env), endpoint, autoDiscoveryKey: KEY });
}

/** What becomes of an attempt at a server, and whether that has seen the end of its connection. */
async function attempt(serve: (peer: RawPeer) => Promise<unknown>): Promise<RegistrationOutcome> {
  let isOver = false;
  return await withRawServer(async (peer) => {
    await serve(peer);
    await peer.ended();
    isOver = true;
  }, async ({ origin }) => {
    const outcome = await clientOf(origin).register(never);
    await realUntil(() => isOver);
    return outcome;
  });
}

/** What becomes of an attempt that is answered with words such as `502 <html>`. */
async function answered(words: string): Promise<RegistrationOutcome> {
  const [, status, body = ""] = /^(\d+) ?(.*)$/.exec(words) ?? [];
  const outcome = await attempt(async (peer) => {
    await peer.request();
    await peer.answer(body, [], `${status} Whatever`);
  });
  const text = Deno.inspect(outcome);
  assertEquals(outcome.kind !== "registered" && text.includes("s3cret"), false);
  assertEquals(text.includes(KEY), false);
  return outcome;
}

Deno.test("RegistrationClient.register() sends the key and the name, and gives the node", async () => {
  const requests: { head: string; body: string }[] = [];
  await withRawServer(async (peer) => {
    requests.push(await peer.request() ?? { head: "", body: "" });
    await peer.answer(SUCCESS);
  }, async ({ origin }) => {
    const args = ["--header", "X-Door: open", "--header", "Authorization: Basic cHJveHk="];
    using _ = restoring(Deno, "hostname");
    Deno.hostname = () => "a b/ü";
    const client = clientOf(`${origin}/base`, { args });
    // As in a sealed process.
    Deno.hostname = () => {
      throw new Deno.errors.NotCapable("requires sys access");
    };
    assertEquals(await client.register(never), { kind: "registered", node: NODE });
  });
  const [{ head, body } = { head: "", body: "" }] = requests;
  const [first, ...fields] = head.trimEnd().split("\r\n");
  assertEquals(first, "POST /base/api/clients/register?name=a%20b%2F%C3%BC HTTP/1.1");
  assertEquals(fields.map((it) => it.toLowerCase().replace(/(deno)\/.*/, "$1")).sort(), [
    ...["accept-encoding: identity", "accept: application/json", `authorization: bearer ${KEY}`],
    ...[`content-length: ${body.length}`, "content-type: application/json"],
    ...[`host: ${fields[0]?.slice(6)}`, "user-agent: komari-agent-deno", "x-door: open"],
  ]);
  assertEquals(body, JSON.stringify({ key: KEY }));
});

/** Answers to an attempt, and what becomes of it. */
const ANSWERS = cases(`
401 {"status":"error","message":"Invalid AutoDiscovery Key"} → refused
403 {"status":"error","message":"Invalid AutoDiscovery Key"} → refused
403 <html>go away → refused
302 → failed
404 404 page not found → failed
404 {"status":"error","message":"Not found in install mode"} → failed
429 → failed
500 {"status":"error","message":"Failed to create client"} → failed
502 <html>Bad Gateway</html> → failed
503 → failed
200 <!DOCTYPE html><html> → failed
200 {"status":"success","data":{}} → doubtful
200 ${SUCCESS.slice(0, -9)} → doubtful
200 ${SUCCESS} → registered
504 <html>Gateway Time-out</html> → doubtful
408 → doubtful
522 → doubtful
524 → doubtful
`);

Deno.test("RegistrationClient.register() tells refusals, failures, and answers by which there may be a node", async () => {
  await sameLater(async (words) => (await answered(words)).kind, ANSWERS);
});

/** Answers to an attempt, and what they are put down to. */
const CAUSES = cases(`
403 {"message":"Invalid AutoDiscovery Key"}
  → key of auto-discovery: the panel rejects the auto-discovery key: status 403, "Invalid AutoDiscovery Key"
403 <title>Forbidden</title>
  → forbidden: a server in front of the panel refuses the request: status 403 and a page of HTML, "Forbidden"
404 404 page not found → no panel: no Komari panel at this address: status 404, "404 page not found"
`);

Deno.test("RegistrationClient.diagnose() names the cause, and blames no key for what answers in place of a panel", async () => {
  await sameLater(async (words) => {
    const outcome = await answered(words);
    assert(outcome.kind !== "registered");
    const { cause, reason } = clientOf("http://panel.example").diagnose(outcome.error) ?? {};
    return `${cause}: ${reason}`;
  }, CAUSES);
});

Deno.test("RegistrationClient.register() is doubtful when the connection ends after the request, not before", async () => {
  const outcome = await attempt(async (peer) => {
    await peer.request();
    peer.close();
  });
  assertEquals(outcome.kind, "doubtful");
  const refused = await clientOf(`http://127.0.0.1:${CLOSED_PORT}`).register(never);
  assert(refused.kind === "failed" && refused.error.failure === "unreachable");
});

Deno.test("RegistrationClient.register() accepts an answer soon after the signal aborts, and no later one", async () => {
  const stop = new AbortController();
  await withRawServer(async (peer) => {
    await peer.request();
    stop.abort();
    await peer.answer(SUCCESS);
  }, async ({ origin }) => {
    assertEquals((await clientOf(origin).register(stop.signal)).kind, "registered");
    await assertRejects(() => clientOf(origin).register(stop.signal), DOMException);
  });
  using time = new FakeTime();
  const other = new AbortController();
  await withRawServer(async (peer) => {
    await peer.request();
    other.abort();
    await peer.readSome();
  }, async ({ origin }) => {
    const registration = clientOf(origin).register(other.signal);
    registration.catch(() => {});
    await realUntil(() => other.signal.aborted);
    assertEquals(await time.until(registration, { withinMs: 30_000 }), 500);
    await assertRejects(() => registration, DOMException);
  });
});

Deno.test("RegistrationClient gives a panel 30 s to answer", async () => {
  const asked: string[] = [];
  await withRawServer(async (peer) => {
    asked.push((await peer.request())?.head ?? "");
    await peer.ended();
  }, async ({ origin }) => {
    using time = new FakeTime();
    const client = clientOf(origin);
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
  const unknown = "404 404 page not found";
  const [v2, v1] = ["/v2/rpc", "/ping/tasks"];
  const known = '400 {"error":"Require WebSocket upgrade","status":"error"}';
  const asked: string[] = [];
  let answers: string[] = [];
  /** Connections that no one has left open. */
  let ended = 0;
  await withRawServer(async (peer) => {
    for (let request; (request = await peer.request()) !== undefined;) {
      const [, path = "", query] =
        /^GET \/api\/clients(\S+?)(\?token=s3cret%2F)? /.exec(request.head) ?? [];
      asked.push(query === undefined ? `${path} by header` : path);
      const [, status, body] = /^(\d+) ?(.*)$/.exec(answers.shift() ?? "") ?? [];
      await peer.answer(body ?? "", [], `${status} X`);
    }
    ended++;
  }, async ({ origin }) => {
    await sameLater(async (given: string[]) => {
      answers = [...given];
      asked.length = 0;
      const calls = ended + 1;
      const isKnown = await clientOf(origin).isTokenKnown("s3cret/", never).catch(({ failure }) =>
        failure
      );
      await realUntil(() => ended === calls);
      return [isKnown, ...asked];
    }, [
      [[known], [true, v2]],
      [["401", "401"], [false, v2, `${v2} by header`]],
      [['502 {"error":"no upstream"}'], ["unavailable", v2]],
      [[unknown, "200 []"], [true, v2, v1]],
      [[unknown, "401", "401"], [false, v2, v1, `${v1} by header`]],
      // A panel that takes the token in a header only.
      [["401", known], [true, v2, `${v2} by header`]],
    ]);
  });
});
