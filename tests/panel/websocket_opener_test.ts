import { assertEquals, assertRejects } from "@std/assert";
import type { Dialer } from "../../lib/net/byte_stream.ts";
import { NetDialer } from "../../lib/net/dialer.ts";
import { DialError, ResponseError, UpgradeError } from "../../lib/net/errors.ts";
import { WebSocketOpener, type WebSocketPurpose } from "../../lib/panel/websocket_opener.ts";
import { same, sameLater } from "../cases.ts";
import { answer } from "./answers.ts";
import { FakeTime } from "../fake_time.ts";
import { withRawServer } from "../net/raw_server.ts";
import { upgrade } from "../net/raw_upgrade.ts";
import { serverFrame } from "../net/server_frames.ts";

const never = new AbortController().signal;

function opener(dial: Dialer["dial"]): WebSocketOpener {
  const access = { endpoint: "https://panel/base", token: "s3cret/+&=" };
  return new WebSocketOpener(access, { dialer: { dial }, headers: [] });
}

/** One that dials a server of the test's. */
function openerAt(endpoint: string, options: { orderBytes?: number } = {}): WebSocketOpener {
  const dialer = new NetDialer();
  return new WebSocketOpener({ endpoint, token: "t" }, { dialer, headers: [], ...options });
}

const closed = opener(() => Promise.reject(new Error("nobody dials here")));

Deno.test("WebSocketOpener.open() dials the path of the purpose, with the encoded token", async () => {
  const token = "token=s3cret%2F%2B%26%3D";
  await sameLater(async (purpose: WebSocketPurpose) => {
    const dialled: string[] = [];
    const refused = new DialError("refused", { stage: "connect" });
    const it = opener(({ href }) => (dialled.push(href), Promise.reject(refused)));
    assertEquals(await assertRejects(() => it.open(purpose, never), DialError), refused);
    return dialled;
  }, [
    [{ version: 2 }, [`wss://panel/base/api/clients/v2/rpc?${token}`]],
    [{ version: 1 }, [`wss://panel/base/api/clients/report?${token}`]],
    [{ terminal: "../r&token=x#" }, [
      `wss://panel/base/api/clients/terminal?${token}&id=..%2Fr%26token%3Dx%23`,
    ]],
  ]);
});

Deno.test("WebSocketOpener.toOpenFailure() distinguishes where POST may work from where nothing does", () => {
  const upgrade = (status: number, text = "", location?: string) =>
    new UpgradeError(status, answer(status, text, { location }));
  const response = (kind: ResponseError["kind"]) => new ResponseError(kind, { kind });
  const dial = (stage: DialError["stage"], cause?: unknown) =>
    new DialError(stage, { stage, cause });
  const refused = new Error("all", { cause: new Deno.errors.ConnectionRefused("refused") });
  same((cause: unknown) => {
    const { why, error: { failure, message } } = closed.toOpenFailure({ version: 2 }, cause);
    const name = "Cannot open a WebSocket (GET /api/clients/v2/rpc): ";
    assertEquals(message.slice(0, name.length), name);
    return `${why}, ${failure}: ${message.slice(name.length)}`;
  }, [
    [upgrade(200, "<html>"), "answered, unsupported protocol: the answer is a page of HTML"],
    [upgrade(200, "hello"), "answered, unreadable: the answer is no panel's"],
    [upgrade(401), "answered, unauthorized: the panel does not know this token"],
    [upgrade(403, "<html>"), "answered, unavailable: status 403 and a page of HTML"],
    [upgrade(502), "answered, unavailable: status 502"],
    [upgrade(302, "", "/in?next=s3cret"), "answered, redirected: redirected to /in"],
    [response("timeout"), "answered, timeout: timeout"],
    [response("closed"), "answered, unreachable: closed"],
    [response("malformed"), "answered, unreadable: malformed"],
    [dial("lookup"), "no answer, unreachable: lookup"],
    [dial("connect"), "no answer, unreachable: connect"],
    [dial("connect", refused), "refused, unreachable: connect"],
    [dial("tls"), "refused, unreachable: tls"],
    [dial("proxy"), "answered, unreachable: proxy"],
  ]);
});

Deno.test("WebSocketOpener.toOpenFailure() names a terminal without its id", () => {
  const { error } = closed.toOpenFailure({ terminal: "r-1" }, new Error("odd"));
  assertEquals(error.message, "Cannot open a WebSocket (GET /api/clients/terminal): odd");
});

Deno.test("WebSocketOpener.openTerminal() gives nothing for a session that is gone, and throws for all else", async () => {
  await sameLater(
    ([status, body]) =>
      withRawServer(async (peer) => {
        await peer.request();
        await peer.answer(body, [], status);
      }, ({ origin }) =>
        openerAt(origin).openTerminal("t", never).catch(({ message }) =>
          message.split("): ")[1]
        )),
    [
      [["404 Not Found", '{"message":"Session not found or not active"}'], undefined],
      [["404 Not Found", "404 page not found"], 'status 404, "404 page not found"'],
      [["403 Forbidden", '{"message":"Session not found"}'], 'status 403, "Session not found"'],
      [["401 Unauthorized", ""], "the panel does not know this token"],
    ] as const,
  );
  const stop = new AbortController();
  const stopping = opener(() => {
    stop.abort(new Error("enough"));
    return Promise.reject(new Error("the dialer's own error"));
  });
  await assertRejects(() => stopping.openTerminal("t", stop.signal), Error, "enough");
});

/** What is received of the frames of a server: lengths, of skipped messages below 0; and why it closes. */
async function receivedOf(
  frames: readonly Uint8Array[],
  purpose: WebSocketPurpose,
  options: { orderBytes?: number } = {},
): Promise<unknown[]> {
  const received: unknown[] = [];
  await withRawServer(async (peer) => {
    await upgrade(peer);
    for (const frame of frames) await peer.write(frame);
    await peer.ended();
  }, async ({ origin }) => {
    const socket = await openerAt(origin, options).open(purpose, never);
    socket.onSkipped = ({ lengthBytes }) => void received.push(-lengthBytes);
    for (let it; (it = await socket.receive()) !== undefined;) received.push(it.length);
    received.push(socket.closeReason);
  });
  return received;
}

const tooLong = serverFrame(1, "", { declared: 64n * 1024n * 1024n + 1n });

Deno.test("WebSocketOpener.open() takes orders up to the limit, and skips longer ones up to 64 MiB", async () => {
  const frames = [
    ...[10_000, 10_001].map((length) => serverFrame(1, "a".repeat(length))),
    // In fragments, the last of which is too much.
    serverFrame(1, "b".repeat(10_000), { final: false }),
    ...[serverFrame(0, "c"), serverFrame(1, "behind"), tooLong],
  ];
  const received = await receivedOf(frames, { version: 2 }, { orderBytes: 10_000 });
  const why = "the server sent a message that is too long";
  assertEquals(received, [10_000, -10_001, -10_001, 6, why]);
});

Deno.test("WebSocketOpener.open() takes input of terminals up to 8 MiB, and skips more", async () => {
  const part = "a".repeat(1024 * 1024);
  const parts = Array.from(
    { length: 8 },
    (_, n) => serverFrame(n === 0 ? 1 : 0, part, { final: false }),
  );
  const frames = [...parts, serverFrame(0, "b"), ...parts, serverFrame(0), tooLong];
  const [skipped, whole] = await receivedOf(frames, { terminal: "t" });
  assertEquals([skipped, whole], [-8 * part.length - 1, 8 * part.length]);
});

Deno.test("WebSocketOpener.open() gives up after 5 s without an answer to the upgrade", async () => {
  const asked = Promise.withResolvers<void>();
  await withRawServer(async (peer) => {
    await peer.request();
    asked.resolve();
    await peer.ended();
  }, async ({ origin }) => {
    using time = new FakeTime();
    const open = () => openerAt(origin).open({ version: 2 }, never);
    const opening = assertRejects(open, ResponseError);
    await asked.promise;
    const tookMs = await time.until(opening, { withinMs: 6_000, stepMs: 100 });
    assertEquals([(await opening).kind, tookMs], ["timeout", 5_000]);
  });
});
