import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ResponseError, UpgradeError } from "../../lib/net/errors.ts";
import {
  openWebSocket,
  type OpenWebSocketOptions,
  type WebSocketConnection,
} from "../../lib/net/websocket.ts";
import { sameLater } from "../cases.ts";
import { LoopbackDialer } from "./loopback_dialer.ts";
import { type RawPeer, withRawServer } from "./raw_server.ts";
import { agreement, upgrade } from "./raw_upgrade.ts";
import { serverFrame } from "./server_frames.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { sanitized } from "../sanitized_tests.ts";

const CHUNKED = "Transfer-Encoding: chunked\r\n\r\n";
const EMPTY = "Content-Length: 0\r\n\r\n";
const OPTIONS = { maxMessageBytes: 1024 * 1024, headers: [], openTimeoutMs: 60_000 };

/** Dials a server; no stream may be left when the socket was closed or did not come about. */
async function withDial<T>(
  serve: (peer: RawPeer) => Promise<void>,
  use: (
    dial: (options?: Partial<OpenWebSocketOptions>) => Promise<WebSocketConnection>,
  ) => Promise<T>,
  dialer = new LoopbackDialer(),
): Promise<T> {
  const { signal } = new AbortController();
  const result = await withRawServer(
    serve,
    ({ origin }) =>
      use((own) => openWebSocket(`${origin}/ws?token=t`, { ...OPTIONS, dialer, signal, ...own })),
  );
  assertEquals(dialer.openStreams, 0);
  return result;
}

/** The head of what a client sends before it closes. */
async function handshake(dialer: LoopbackDialer): Promise<string> {
  let head = "";
  await withDial(
    async (peer) => {
      head = await upgrade(peer);
      await peer.ended();
    },
    async (dial) => (await dial({ headers: [["X-Own", "a"]] })).close(),
    dialer,
  );
  return head;
}

sanitized.test("openWebSocket() sends a valid handshake, without Origin and extensions, with the whole URL to a proxy", async () => {
  const dialer = new LoopbackDialer();
  const head = await handshake(dialer);
  assertMatch(head, /^GET \/ws\?token=t HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\n/);
  assertMatch(head, /^sec-websocket-key: [\w+/]{22}==\r$/im);
  for (
    const line of [
      "x-own: a",
      "upgrade: websocket",
      "connection: upgrade",
      "sec-websocket-version: 13",
    ]
  ) {
    assert(head.toLowerCase().includes(`\r\n${line}\r\n`), line);
  }
  assert(!/^(origin|sec-websocket-(extensions|protocol)|content-length):/im.test(head), head);
  // A dialer has to know that this stream is for a WebSocket.
  assertMatch(dialer.urls.join(), /^ws:\/\/127\.0\.0\.1:\d+\/ws\?token=t$/);
  const forwarded = await handshake(new LoopbackDialer({ forward: {} }));
  assertMatch(forwarded, /^GET http:\/\/127\.0\.0\.1:\d+\/ws\?token=t HTTP/);
});

sanitized.test("openWebSocket() keeps frames that come together with the handshake", async () => {
  await withDial(async (peer) => {
    await upgrade(peer, serverFrame(1, "hello"));
    await peer.ended();
  }, async (dial) => {
    const socket = await dial();
    assertEquals(await socket.receive(), "hello");
    socket.close();
  });
});

sanitized.test("openWebSocket() tells that an upgrade was answered otherwise: status, words, place and time to wait", async () => {
  await sameLater((answer) =>
    withDial(async (peer) => {
      await peer.request();
      await peer.write(`HTTP/1.1 ${answer}`);
      await peer.ended();
    }, async (dial) => {
      const { status, text, headers } = await assertRejects(() => dial(), UpgradeError);
      return [status, text, headers.get("location") ?? headers.get("retry-after")];
    }), [
    ["401 Unauthorized\r\nContent-Length: 4\r\n\r\nno t", [401, "no t", undefined]],
    [`200 OK\r\n${CHUNKED}6\r\n<html>\r\n0\r\n\r\n`, [200, "<html>", undefined]],
    [`302 Found\r\nLocation: https://a.test/\r\n${EMPTY}`, [302, "", "https://a.test/"]],
    [`403 Forbidden\r\n${EMPTY}`, [403, "", undefined]],
    [`429 Slow down\r\nRetry-After: 120\r\n${EMPTY}`, [429, "", "120"]],
    // It breaks off, is without end, and cut within a letter.
    [`502 Bad Gateway\r\n${CHUNKED}2\r\nab\r\nno size\r\n`, [502, "", undefined]],
    [`503 Busy\r\n\r\n${"é".repeat(100_000)}`, [503, "é".repeat(512), undefined]],
    [`503 Busy\r\n\r\nx${"é".repeat(100_000)}`, [503, `x${"é".repeat(511)}`, undefined]],
  ]);
});

sanitized.test("openWebSocket() throws the status when the body does not come", async () => {
  const answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nnot ";
  const dialer = new LoopbackDialer();
  await withDial(async (peer) => {
    await peer.request();
    await peer.write(answer);
    await peer.ended();
  }, async (dial) => {
    using time = new FakeTime();
    const refused = assertRejects(() => dial(), UpgradeError);
    while (dialer.bytesRead < answer.length) await realTurn();
    await time.run(60_000);
    const error = await refused;
    assertEquals([error.status, error.text], [403, "not "]);
  }, dialer);
});

sanitized.test("openWebSocket() throws when the answer does not prove an upgrade, or agrees to more", async () => {
  const changes: ((head: string) => string)[] = [
    (head) => head.replace(/^Sec-WebSocket-Accept.*\r\n/m, ""),
    (head) => head.replace("Accept: ", "Accept: x"),
    (head) => head.replace("WebSocket\r", "h2c\r"),
    (head) => head.replace(", Upgrade", ""),
    (head) => head.replace(/\r\n$/, "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
    (head) => head.replace(/\r\n$/, "Sec-WebSocket-Protocol: chat\r\n\r\n"),
    () => "SSH-2.0-OpenSSH_9.6\r\n\r\n",
  ];
  await sameLater(
    (change) =>
      withDial(async (peer) => {
        await peer.write(change(await agreement((await peer.request())?.head ?? "")));
        await peer.ended();
      }, async (dial) => (await assertRejects(() => dial(), ResponseError)).kind),
    changes.map((change) => [change, "malformed"]),
  );
});

sanitized.test("openWebSocket() throws when there is no answer in time", async () => {
  await withDial((peer) => peer.ended(), async (dial) => {
    const error = await assertRejects(() => dial({ openTimeoutMs: 20 }), ResponseError);
    assertEquals([error.kind, error.message], ["timeout", "no answer within 0.02 s"]);
  });
});

sanitized.test("openWebSocket() throws the signal's reason when it aborts during the handshake only", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  await withDial(async (peer) => {
    await peer.request();
    controller.abort(reason);
    await peer.ended();
  }, async (dial) => {
    const { signal } = controller;
    assertEquals(await assertRejects(() => dial({ signal }), Error), reason);
  });
  const later = new AbortController();
  await withDial(async (peer) => {
    await upgrade(peer);
    await peer.read(7);
    await peer.write(serverFrame(1, "still here"));
    await peer.ended();
  }, async (dial) => {
    const socket = await dial({ signal: later.signal });
    later.abort();
    await socket.send("a");
    assertEquals(await socket.receive(), "still here");
    socket.close();
  });
});
