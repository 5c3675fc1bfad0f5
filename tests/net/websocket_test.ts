import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { WebSocketServer } from "ws";
import { BufferedReader } from "../../lib/net/buffered_reader.ts";
import type { ByteStream } from "../../lib/net/byte_stream.ts";
import { ResponseError, UpgradeError } from "../../lib/net/errors.ts";
import { ClientWebSocket, openWebSocket } from "../../lib/net/websocket.ts";
import type { OpenWebSocketOptions, WebSocketConnection } from "../../lib/net/websocket.ts";
import { sameLater } from "../cases.ts";
import { FakeTime, realTurn } from "../fake_time.ts";
import { sanitized } from "../sanitized_tests.ts";
import { clientFrames } from "./client_frames.ts";
import { LoopbackDialer } from "./loopback_dialer.ts";
import { type RawPeer, withRawServer } from "./raw_server.ts";
import { agreement, framesToTheEnd, upgrade } from "./raw_upgrade.ts";
import { joined, serverFrame } from "./server_frames.ts";

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
  const result = await withRawServer(serve, ({ origin }) => {
    const url = `${origin}/ws?token=t`;
    return use((own) => openWebSocket(url, { ...OPTIONS, dialer, signal, ...own }));
  });
  assertEquals(dialer.openStreams, 0);
  return result;
}

/** Answers the first request so. */
const answering =
  (answer: string | ((head: string) => Promise<string>)) => async (peer: RawPeer) => {
    const { head = "" } = await peer.request() ?? {};
    await peer.write(typeof answer === "string" ? answer : await answer(head));
    await peer.ended();
  };

/** The head of what a client sends that receives a frame with the answer. */
async function handshake(dialer: LoopbackDialer): Promise<string> {
  let head = "";
  await withDial(async (peer) => {
    head = await upgrade(peer, serverFrame(1, "hello"));
    await peer.ended();
  }, async (dial) => {
    const socket = await dial({ headers: [["X-Own", "a"]] });
    assertEquals(await socket.receive(), "hello");
    socket.close();
  }, dialer);
  return head;
}

sanitized.test("openWebSocket() sends a valid handshake, without Origin and extensions, with the whole URL to a proxy, and keeps frames that come with the answer", async () => {
  const dialer = new LoopbackDialer();
  const head = await handshake(dialer);
  assertMatch(head, /^GET \/ws\?token=t HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\n/);
  assertMatch(head, /^sec-websocket-key: [\w+/]{22}==\r$/im);
  const upgrade = ["upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13"];
  const lines = head.toLowerCase().split("\r\n");
  assertEquals(["x-own: a", ...upgrade].filter((line) => !lines.includes(line)), [], head);
  assert(!/^(origin|sec-websocket-(extensions|protocol)|content-length):/im.test(head), head);
  // A dialer has to know that this stream is for a WebSocket.
  assertMatch(dialer.urls.join(), /^ws:\/\/127\.0\.0\.1:\d+\/ws\?token=t$/);
  const forwarded = await handshake(new LoopbackDialer({ forward: {} }));
  assertMatch(forwarded, /^GET http:\/\/127\.0\.0\.1:\d+\/ws\?token=t HTTP/);
});

sanitized.test("openWebSocket() tells that an upgrade was answered otherwise: status, words, place and time to wait", async () => {
  await sameLater((answer) =>
    withDial(answering(`HTTP/1.1 ${answer}`), async (dial) => {
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
  await withDial(answering(answer), async (dial) => {
    using time = new FakeTime();
    const refused = assertRejects(() => dial(), UpgradeError);
    while (dialer.bytesRead < answer.length) await realTurn();
    await time.run(60_000);
    const { status, text } = await refused;
    assertEquals([status, text], [403, "not "]);
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
  for (const change of changes) {
    const answer = async (head: string) => change(await agreement(head));
    await withDial(answering(answer), async (dial) => {
      assertEquals((await assertRejects(() => dial(), ResponseError)).kind, "malformed");
    });
  }
});

sanitized.test("openWebSocket() throws when there is no answer in time, or the signal's reason when it aborts", async () => {
  const controller = new AbortController();
  await withDial((peer) => peer.ended(), async (dial) => {
    const error = await assertRejects(() => dial({ openTimeoutMs: 20 }), ResponseError);
    assertEquals([error.kind, error.message], ["timeout", "no answer within 0.02 s"]);
  });
  await withDial(async (peer) => {
    await peer.request();
    controller.abort(new Error("enough"));
    await peer.ended();
  }, (dial) => assertRejects(() => dial({ signal: controller.signal }), Error, "enough"));
});

/** A socket to a server that has agreed to it; closed after `use`, which has to end `serve`. */
async function withSocket(
  serve: (peer: RawPeer) => Promise<void>,
  use: (socket: WebSocketConnection, dialer: LoopbackDialer) => Promise<void>,
  dialer = new LoopbackDialer(),
): Promise<void> {
  const served = Promise.withResolvers<void>();
  await withDial(async (peer) => {
    await upgrade(peer);
    served.resolve(serve(peer));
    await served.promise;
  }, async (dial) => {
    const socket = await dial();
    await using _ = { [Symbol.asyncDispose]: () => (socket.close(), served.promise) };
    await use(socket, dialer);
  }, dialer);
}

function socketOver(stream: ByteStream): ClientWebSocket {
  return new ClientWebSocket(stream, { reader: new BufferedReader(stream), ...OPTIONS });
}

sanitized.test("ClientWebSocket exchanges messages of all sizes with a server that offers compression", async () => {
  const perMessageDeflate = { threshold: 0 };
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate });
  await new Promise<void>((resolve) => server.on("listening", resolve));
  server.on("connection", (peer) => {
    peer.on("message", (data, binary) => peer.send(data, { binary }));
  });
  const url = `ws://127.0.0.1:${server.address().port}/`;
  const { signal } = new AbortController();
  const socket = await openWebSocket(url, { ...OPTIONS, dialer: new LoopbackDialer(), signal });
  for (const length of [0, 1, 125, 126, 5000, 65_535, 65_536, 300_000]) {
    const text = "é".repeat(length / 2);
    await socket.send(text);
    assert(await socket.receive() === text);
    const bytes = Uint8Array.from({ length }, (_, index) => index * 11);
    await socket.send(bytes);
    const received = await socket.receive();
    assert(received instanceof Uint8Array && received.toHex() === bytes.toHex());
  }
  socket.close();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

sanitized.test("ClientWebSocket.send() gives up a server that reads nothing after a thousand frames", async () => {
  const socket = socketOver(deafLine());
  const sent = Array.from({ length: 1024 }, () => socket.send("x").catch(() => "lost"));
  assertEquals(socket.closeReason, "");
  sent.push(socket.send("x").catch(() => "lost"));
  assertEquals([socket.closeReason, socket.wasLost], ["the connection was lost", true]);
  assertEquals(new Set(await Promise.all(sent)), new Set(["lost"]));
});

sanitized.test("ClientWebSocket.ping() updates the time of the last received bytes when it is answered", async () => {
  await withSocket(async (peer) => {
    const [ping] = clientFrames(await peer.read(8) ?? new Uint8Array());
    const why = joined([Uint8Array.of(3, 232), new TextEncoder().encode("done → x")]);
    await peer.write(joined([serverFrame(10, ping?.payload), serverFrame(8, why)]));
    await peer.ended();
  }, async (socket) => {
    const before = socket.lastReceivedAtMs;
    const pongs: string[] = [];
    socket.onPong = (payload) => void pongs.push(new TextDecoder().decode(payload));
    await socket.ping(new TextEncoder().encode("17"));
    assertEquals(await socket.receive(), undefined);
    assertEquals(pongs, ["17"]);
    assert(socket.lastReceivedAtMs > before);
    assertEquals(socket.closeReason, "the server closed the connection: 1000 done -> x");
    assertEquals(socket.closeFrame?.code, 1000);
  });
});

sanitized.test("ClientWebSocket.send() keeps the order of concurrent messages, also after partial writes", async () => {
  const messages = Array.from({ length: 50 }, (_, index) => `${index} `.repeat(index * 10));
  const received: string[] = [];
  await withSocket(async (peer) => {
    for (const { opcode, payload } of await framesToTheEnd(peer)) {
      if (opcode === 1) received.push(new TextDecoder().decode(payload));
    }
  }, async (socket) => {
    await Promise.all(messages.map((message) => socket.send(message)));
  }, new LoopbackDialer({ longestWrite: 700 }));
  assertEquals(received, messages);
});

sanitized.test("ClientWebSocket.close() sends a close frame, and ends pending calls", async () => {
  let opcodes: unknown[] = [];
  await withSocket(async (peer) => {
    const frames = await framesToTheEnd(peer);
    opcodes = frames.map(({ opcode, payload, masked }) => [opcode, [...payload], masked]);
  }, async (socket) => {
    const before = socket.lastReceivedAtMs;
    const received = socket.receive();
    await socket.ping();
    assertEquals(socket.lastReceivedAtMs, before);
    socket.close();
    socket.close();
    assertEquals(await received, undefined);
    assertEquals(socket.closeReason, "it was closed here");
    assertEquals(await socket.receive(), undefined);
    await assertRejects(() => socket.send("a"), Error, "Cannot send: it was closed here");
    await assertRejects(() => socket.ping(), Error, "Cannot send");
  });
  assertEquals(opcodes, [[9, [], true], [8, [3, 232], true]]);
});

sanitized.test("ClientWebSocket.close() does not wait for a server that reads nothing", async () => {
  const stream = deafLine();
  const socket = socketOver(stream);
  const send = (text: string) => assertRejects(() => socket.send(text), Error, "closed here");
  const sent = ["a", "b"].map(send);
  await delay(0);
  assertEquals(stream.writes, 1);
  socket.close();
  assertEquals(stream.closed, 1);
  await Promise.all(sent);
  assertEquals(stream.writes, 1);
});

/** A stream that takes nothing and says what it is given. */
function deafLine(
  said: readonly Uint8Array[] = [],
): ByteStream & { writes: number; closed: number } {
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  const rest = [...said];
  return {
    writes: 0,
    closed: 0,
    read(into) {
      const next = rest.shift();
      if (next === undefined) return ended.promise;
      into.set(next);
      return Promise.resolve(next.length);
    },
    write() {
      this.writes++;
      return ended.promise;
    },
    close() {
      this.closed++;
      ended.reject(new Error("closed"));
    },
  };
}

sanitized.test("ClientWebSocket answers only the last of many pings", async () => {
  const pings = Array.from({ length: 500 }, (_, index) => serverFrame(9, `${index}`));
  const stream = deafLine([joined(pings), serverFrame(1, "a")]);
  const written: number[][] = [];
  const taken = Promise.withResolvers<void>();
  stream.write = async (bytes) => {
    written.push([...bytes]);
    await taken.promise;
    return bytes.length;
  };
  const socket = socketOver(stream);
  assertEquals(await socket.receive(), "a");
  taken.resolve();
  // Goes out after all that is owed.
  await socket.send("b");
  assert(written.length <= 3, `${written.length} frames`);
  const last = Uint8Array.from(written.at(-2) ?? []);
  const payload = last.slice(6).map((byte, index) => byte ^ (last[2 + index % 4] ?? 0));
  assertEquals([last[0], new TextDecoder().decode(payload)], [0x8A, "499"]);
  socket.close();
});

sanitized.test("ClientWebSocket reads only during receive()", async () => {
  const mib = serverFrame(2, new Uint8Array(1024 * 1024));
  let sent = 0;
  await withSocket(async (peer) => {
    while (await peer.write(mib)) sent++;
  }, async (socket) => {
    const first = await socket.receive();
    assert(first instanceof Uint8Array);
    // The kernel's buffers fill up, and then nothing moves any more.
    for (let before = -1; before !== sent;) {
      before = sent;
      await delay(50);
    }
    assert(sent < 60, `${sent} MiB were sent`);
  });
});

sanitized.test("ClientWebSocket ends with a close frame when a server closes, or sends what is invalid", async () => {
  const invalid = "invalid WebSocket frame";
  const table = [
    [serverFrame(8, Uint8Array.of(3, 233)), "the server closed the connection: 1001", [3, 233]],
    [serverFrame(8), "the server closed the connection", []],
    [serverFrame(1, "a", { masked: true }), invalid, [3, 234]],
    [serverFrame(1, "a", { reserved: 64 }), invalid, [3, 234]],
    [serverFrame(1, Uint8Array.of(255)), invalid, [3, 234]],
    [serverFrame(2, "", { declared: 67_108_864n }), "too long", [3, 241]],
  ] as const;
  for (const [bytes, ending, code] of table) {
    let last: unknown;
    await withSocket(async (peer) => {
      await peer.write(joined([serverFrame(1, "before"), bytes, serverFrame(1, "behind")]));
      last = (await framesToTheEnd(peer)).map(({ opcode, payload }) => [opcode, [...payload]]);
    }, async (socket, dialer) => {
      assertEquals([await socket.receive(), socket.closeReason], ["before", ""]);
      assertEquals([await socket.receive(), dialer.openStreams], [undefined, 0]);
      assert(socket.closeReason.includes(ending), socket.closeReason);
      assertEquals(socket.protocolError, !ending.startsWith("the server closed"));
      assertEquals(await socket.receive(), undefined);
    });
    assertEquals(last, [[8, [...code]]]);
  }
});

sanitized.test("ClientWebSocket ends when the connection ends in the middle of a frame, or is reset", async () => {
  await withSocket(async (peer) => {
    await peer.write(serverFrame(1, "hello").subarray(0, 4));
  }, async (socket) => {
    assertEquals(await socket.receive(), undefined);
    assertEquals(socket.closeReason, "the server closed the connection");
    assertEquals(socket.wasLost, false);
    await assertRejects(() => socket.send("a"), Error, "Cannot send: the server closed");
  });
  const stream = deafLine();
  stream.read = () => Promise.reject(new Deno.errors.ConnectionReset("reset by peer"));
  const socket = socketOver(stream);
  assertEquals(await socket.receive(), undefined);
  assertEquals([socket.closeReason, stream.closed], ["the connection was lost", 1]);
  assertEquals([socket.protocolError, socket.wasLost], [false, true]);
});
