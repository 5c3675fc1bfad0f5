import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ResponseError, UpgradeError } from "../../lib/net/errors.ts";
import {
  openWebSocket,
  type OpenWebSocketOptions,
  type WebSocketConnection,
} from "../../lib/net/websocket.ts";
import { LoopbackDialer } from "./loopback_dialer.ts";
import { type RawPeer, withRawServer } from "./raw_server.ts";
import { agreement, upgrade } from "./raw_upgrade.ts";
import { serverFrame } from "./server_frames.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { sanitized } from "../sanitized_tests.ts";

/** Dials a server; no stream may be left when the socket was closed or did not come about. */
async function withDial(
  serve: (peer: RawPeer) => Promise<void>,
  use: (
    dial: (options?: Partial<OpenWebSocketOptions>) => Promise<WebSocketConnection>,
  ) => Promise<void>,
  dialer = new LoopbackDialer(),
): Promise<void> {
  await withRawServer(serve, async ({ origin }) => {
    await use((options) =>
      openWebSocket(`${origin}/ws?token=t`, {
        maxMessageBytes: 1024 * 1024,
        dialer,
        headers: [],
        signal: new AbortController().signal,
        openTimeoutMs: 60_000,
        ...options,
      })
    );
    assertEquals(dialer.openStreams, 0);
  });
}

sanitized.test("openWebSocket() sends a valid handshake, without Origin and extensions", async () => {
  let head = "";
  const dialer = new LoopbackDialer();
  await withDial(async (peer) => {
    head = await upgrade(peer);
    await peer.ended();
  }, async (dial) => {
    (await dial({ headers: [["X-Own", "a"]] })).close();
  }, dialer);
  assertMatch(head, /^GET \/ws\?token=t HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\n/);
  assertMatch(head, /^x-own: a\r$/im);
  assertMatch(head, /^upgrade: websocket\r$/im);
  assertMatch(head, /^connection: upgrade\r$/im);
  assertMatch(head, /^sec-websocket-version: 13\r$/im);
  assertMatch(head, /^sec-websocket-key: [\w+/]{22}==\r$/im);
  assert(!/^(origin|sec-websocket-(extensions|protocol)|content-length):/im.test(head), head);
  // A dialer has to know that this stream is for a WebSocket.
  assertMatch(dialer.urls.join(), /^ws:\/\/127\.0\.0\.1:\d+\/ws\?token=t$/);
});

sanitized.test("openWebSocket() sends the whole URL to a forward proxy", async () => {
  let head = "";
  await withDial(
    async (peer) => {
      head = await upgrade(peer);
      await peer.ended();
    },
    async (dial) => (await dial()).close(),
    new LoopbackDialer({ forward: {} }),
  );
  assertMatch(head, /^GET http:\/\/127\.0\.0\.1:\d+\/ws\?token=t HTTP/);
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

const table = [
  [
    "a status and words",
    "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nno t",
    { status: 401, text: "no t" },
  ],
  [
    "a page",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n<html>\r\n0\r\n\r\n",
    { status: 200, text: "<html>" },
  ],
  [
    "another place",
    "HTTP/1.1 302 Found\r\nLocation: https://login.test/\r\nContent-Length: 0\r\n\r\n",
    { status: 302, text: "", location: "https://login.test/" },
  ],
  [
    "nothing but a status",
    "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    { status: 403, text: "" },
  ],
  [
    "a time to wait",
    "HTTP/1.1 429 Slow down\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n",
    { status: 429, text: "", retryAfter: "120" },
  ],
  [
    "a body that breaks off",
    "HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nno size\r\n",
    { status: 502, text: "" },
  ],
  [
    "a body without end",
    `HTTP/1.1 503 Busy\r\n\r\n${"é".repeat(100_000)}`,
    { status: 503, text: "é".repeat(512) },
  ],
  [
    "a letter cut in two",
    `HTTP/1.1 503 Busy\r\n\r\nx${"é".repeat(100_000)}`,
    { status: 503, text: `x${"é".repeat(511)}` },
  ],
] as const;
for (const [what, answer, refusal] of table) {
  sanitized.test(`openWebSocket() tells that an upgrade was answered with ${what}`, async () => {
    await withDial(async (peer) => {
      await peer.request();
      await peer.write(answer);
      await peer.ended();
    }, async (dial) => {
      const error = await assertRejects(() => dial(), UpgradeError);
      const { status, text, headers } = error;
      const [location, retryAfter] = ["location", "retry-after"].map((name) => headers.get(name));
      const absent = { location: undefined, retryAfter: undefined };
      assertEquals({ status, text, location, retryAfter }, { ...absent, ...refusal });
    });
  });
}

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

const cases = [
  ["proves nothing", (head: string) => head.replace(/^Sec-WebSocket-Accept.*\r\n/m, "")],
  ["proves something else", (head: string) => head.replace("Accept: ", "Accept: x")],
  ["upgrades to something else", (head: string) => head.replace("WebSocket\r", "h2c\r")],
  ["does not upgrade the connection", (head: string) => head.replace(", Upgrade", "")],
  [
    "agrees to an extension",
    (head: string) => head.replace(/\r\n$/, "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
  ],
  [
    "agrees to a subprotocol",
    (head: string) => head.replace(/\r\n$/, "Sec-WebSocket-Protocol: chat\r\n\r\n"),
  ],
  ["is no HTTP", () => "SSH-2.0-OpenSSH_9.6\r\n\r\n"],
] as const;
for (const [what, change] of cases) {
  sanitized.test(`openWebSocket() throws when the answer ${what}`, async () => {
    await withDial(async (peer) => {
      const asked = await peer.request();
      await peer.write(change(await agreement(asked?.head ?? "")));
      await peer.ended();
    }, async (dial) => {
      assertEquals((await assertRejects(() => dial(), ResponseError)).kind, "malformed");
    });
  });
}

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
