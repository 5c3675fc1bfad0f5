import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { delay } from "@std/async/delay";
import { type WebSocket, WebSocketServer } from "ws";
import { BufferedReader } from "../../lib/net/buffered_reader.ts";
import type { ByteStream } from "../../lib/net/byte_stream.ts";
import {
  ClientWebSocket,
  openWebSocket,
  type WebSocketConnection,
} from "../../lib/net/websocket.ts";
import { FakeTime } from "../fake_time.ts";
import { LoopbackDialer } from "./loopback_dialer.ts";
import { type RawPeer, withRawServer } from "./raw_server.ts";
import { framesToTheEnd, upgrade } from "./raw_upgrade.ts";
import { joined, serverFrame } from "./server_frames.ts";
import { sanitized } from "../sanitized_tests.ts";

const MAX_MESSAGE_BYTES = 1024 * 1024;

function socketOver(stream: ByteStream): ClientWebSocket {
  const reader = new BufferedReader(stream);
  return new ClientWebSocket(stream, { reader, maxMessageBytes: MAX_MESSAGE_BYTES });
}

async function dial(port: number, dialer: LoopbackDialer): Promise<WebSocketConnection> {
  return await openWebSocket(`ws://127.0.0.1:${port}/`, {
    maxMessageBytes: MAX_MESSAGE_BYTES,
    dialer,
    headers: [],
    signal: new AbortController().signal,
    openTimeoutMs: 60_000,
  });
}

/** Uses a socket until `served`, which has to end then; no stream may be left. */
async function whileOpen(
  port: number,
  use: (socket: WebSocketConnection, dialer: LoopbackDialer) => Promise<void>,
  served: () => Promise<unknown>,
  dialer = new LoopbackDialer(),
): Promise<void> {
  const socket = await dial(port, dialer);
  try {
    await use(socket, dialer);
  } finally {
    socket.close();
    assertEquals(dialer.openStreams, 0);
    await served();
  }
}

/** A socket to a server that has agreed to it; closed after `use`, which has to end `serve`. */
async function withSocket(
  serve: (peer: RawPeer) => Promise<void>,
  use: (socket: WebSocketConnection, dialer: LoopbackDialer) => Promise<void>,
  dialer?: LoopbackDialer,
): Promise<void> {
  const served = Promise.withResolvers<void>();
  await withRawServer(async (peer) => {
    await upgrade(peer);
    served.resolve(serve(peer));
    await served.promise;
  }, ({ port }) => whileOpen(port, use, () => served.promise, dialer));
}

/** A socket to the server of the `ws` library, which would like to compress. */
async function withWs(
  serve: (socket: WebSocket) => void,
  use: (socket: WebSocketConnection) => Promise<void>,
): Promise<void> {
  const perMessageDeflate = { threshold: 0 };
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate });
  await new Promise<void>((resolve) => server.on("listening", resolve));
  const ended: Promise<void>[] = [];
  server.on("connection", (socket) => {
    ended.push(new Promise((resolve) => socket.on("close", () => resolve())));
    serve(socket);
  });
  await whileOpen(server.address().port, use, async () => {
    await Promise.all(ended);
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
}

sanitized.test("ClientWebSocket exchanges messages of all sizes with a server that offers compression", async () => {
  await withWs((peer) => {
    peer.on("message", (data, binary) => peer.send(data, { binary }));
  }, async (socket) => {
    for (const length of [0, 1, 125, 126, 5000, 65_535, 65_536, 300_000]) {
      const text = "é".repeat(length / 2);
      await socket.send(text);
      assert(await socket.receive() === text);
      const bytes = Uint8Array.from({ length }, (_, index) => index * 11);
      await socket.send(bytes);
      const received = await socket.receive();
      assert(received instanceof Uint8Array && received.length === length);
      assert(received.every((byte, index) => byte === bytes[index]));
    }
  });
});

sanitized.test("ClientWebSocket assembles fragments, and answers pings between them", async () => {
  const pong = Promise.withResolvers<string>();
  await withWs((peer) => {
    peer.on("pong", (data) => pong.resolve(new TextDecoder().decode(data)));
    peer.send("one, ", { fin: false });
    peer.ping("are you there?");
    peer.send("two, ", { fin: false });
    peer.send("three", { fin: true });
  }, async (socket) => {
    assertEquals(await socket.receive(), "one, two, three");
    assertEquals(await pong.promise, "are you there?");
  });
});

sanitized.test("ClientWebSocket.ping() updates the time of the last received bytes when it is answered", async () => {
  const closed = Promise.withResolvers<void>();
  await withWs((peer) => {
    peer.on("ping", () => setTimeout(() => peer.close(1000, "done"), 0));
    peer.on("close", () => closed.resolve());
  }, async (socket) => {
    const before = socket.lastReceivedAtMs;
    const pongs: string[] = [];
    socket.onPong = (payload) => void pongs.push(new TextDecoder().decode(payload));
    await socket.ping(new TextEncoder().encode("17"));
    assertEquals(await socket.receive(), undefined);
    assertEquals(pongs, ["17"]);
    assert(socket.lastReceivedAtMs > before);
    assertEquals(socket.closeReason, "the server closed the connection: 1000 done");
    assertEquals(socket.closeFrame?.code, 1000);
    await closed.promise;
  });
});

sanitized.test("ClientWebSocket.send() keeps the order of concurrent messages, also after partial writes", async () => {
  const messages = Array.from({ length: 50 }, (_, index) => `${index} `.repeat(index * 10));
  let received: string[] = [];
  await withSocket(async (peer) => {
    const frames = await framesToTheEnd(peer);
    received = frames.filter(({ opcode }) => opcode === 1)
      .map(({ payload }) => new TextDecoder().decode(payload));
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
  const sent = ["a", "b"].map((text) =>
    assertRejects(() => socket.send(text), Error, "closed here")
  );
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
      assertStringIncludes(socket.closeReason, ending);
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

Deno.test("ClientWebSocket.close() ends a pause between two frames", async () => {
  using time = new FakeTime();
  const socket = socketOver(deafLine([serverFrame(1, "a")]));
  socket.onFrame = () => 60_000;
  const received = socket.receive();
  await time.run(0);
  assertEquals(time.timers, 1);
  socket.close();
  await time.run(0);
  assertEquals([time.timers, await received], [0, undefined]);
});
