import { assert, assertEquals, assertRejects } from "@std/assert";
import { ResponseError } from "../../lib/net/errors.ts";
import { type StreamedRequest, streamRequest } from "../../lib/net/http_stream.ts";
import { timed } from "../fake_time.ts";
import { LoopbackDialer } from "./loopback_dialer.ts";
import { sameLater } from "../cases.ts";
import { type RawPeer, withRawServer } from "./raw_server.ts";
import { sanitized } from "../sanitized_tests.ts";

const never = new AbortController().signal;

const POST = { method: "POST", url: "http://localhost", headers: [] } as const;
const OK = "HTTP/1.1 200 OK\r\n";
const FIVE = `${OK}Content-Length: 5\r\n\r\n`;

type Answer = ReturnType<typeof streamRequest>;

/** A request to a server; no connection may be left. */
async function withStream<T>(
  serve: (peer: RawPeer) => Promise<void>,
  use: (
    request: (asked: Partial<StreamedRequest>, signal?: AbortSignal) => Answer,
  ) => Promise<T>,
  dialer = new LoopbackDialer(),
): Promise<T> {
  const result = await withRawServer(serve, ({ origin }) =>
    use((request, signal = never) => {
      const asked = { ...POST, url: `${origin}/t?token=x`, ...request };
      return streamRequest(dialer, asked, { signal, stallMs: 60_000 });
    }));
  assertEquals(dialer.openStreams, 0);
  return result;
}

/** Answers one request so. */
const answering = (answer: string) => async (peer: RawPeer) => {
  await peer.request();
  await peer.write(answer);
};

/** Gives `text` in pieces; `onRead` is called before each. */
function bodyOf(text: string, { lengthBytes = text.length, onRead = () => {} } = {}) {
  let at = 0;
  return {
    lengthBytes,
    read(into: Uint8Array<ArrayBuffer>) {
      onRead();
      const bytes = new TextEncoder().encode(text.slice(at, at + Math.min(7, into.length)));
      into.set(bytes);
      at += bytes.length;
      return Promise.resolve(bytes.length);
    },
  };
}

/** Keeps what it is given; `onWrite` is called after each piece. */
function sinkOf(lengthBytes: number, onWrite = () => {}) {
  const sink = {
    lengthBytes,
    text: "",
    async write(bytes: Uint8Array<ArrayBuffer>) {
      await Promise.resolve();
      sink.text += new TextDecoder().decode(bytes);
      onWrite();
    },
  };
  return sink;
}

sanitized.test("streamRequest() sends exactly the bytes of its body", async () => {
  let head = "";
  await withStream(async (peer) => {
    const asked = await peer.request();
    head = asked?.head ?? "";
    await peer.answer(asked?.body ?? "");
  }, async (request) => {
    const text = "0123456789".repeat(5000);
    const answer = await request({ body: bodyOf(text), headers: [["x-a", "b"]] });
    assertEquals([answer.status, answer.text], [200, text]);
    const lines = head.split("\r\n");
    assertEquals(lines[0], "POST /t?token=x HTTP/1.1");
    const fields = ["content-length: 50000", "x-a: b", "connection: close"];
    assertEquals(fields.filter((field) => !lines.includes(field)), []);
  }, new LoopbackDialer({ longestWrite: 1000 }));
});

sanitized.test("streamRequest() gives its sink a body of a length or in chunks, and the text of a refusal none", async () => {
  const text = "abcdefghij".repeat(3000);
  const pieces = `2710\r\n${text.slice(0, 10_000)}\r\n4e20\r\n${text.slice(10_000)}\r\n0\r\n\r\n`;
  await sameLater((answer) =>
    withStream(answering(answer), async (request) => {
      const sink = sinkOf(30_000);
      const { status, text } = await request({ sink });
      return [status, text, sink.text];
    }), [
    [`${OK}Content-Length: 30000\r\n\r\n${text}`, [200, "", text]],
    [`${OK}Transfer-Encoding: chunked\r\n\r\n${pieces}`, [200, "", text]],
    ["HTTP/1.1 401 No\r\nContent-Length: 7\r\n\r\nexpired", [401, "expired", ""]],
  ]);
  await withStream(answering(`${OK}Content-Length: 3\r\n\r\n123`), async (request) => {
    const sink = Object.assign(sinkOf(5), { takesShorter: true });
    await request({ sink });
    assertEquals(sink.text, "123");
  });
});

sanitized.test("streamRequest() refuses a body of another length, or an incomplete one", async () => {
  await sameLater((answer) =>
    withStream(answering(answer), async (request) => {
      return (await assertRejects(() => request({ sink: sinkOf(5) }), ResponseError)).kind;
    }), [
    [`${OK}Content-Length: 6\r\n\r\n123456`, "too long"],
    [`${OK}Content-Length: 4\r\n\r\n1234`, "closed"],
    [`${FIVE}123`, "closed"],
    [`${OK}\r\n123`, "closed"],
    [`${OK}Transfer-Encoding: chunked\r\n\r\n3\r\n123`, "closed"],
    [`${OK}Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n12345`, "malformed"],
    ["SSH-2.0-OpenSSH\r\n\r\n", "malformed"],
    ["", "closed"],
  ]);
});

sanitized.test("streamRequest() stops sending when it is refused early", async () => {
  let sentBytes = 0;
  const endless = {
    lengthBytes: 1e12,
    async read(into: Uint8Array<ArrayBuffer>) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      sentBytes += into.length;
      return into.length;
    },
  };
  await withStream(async (peer) => {
    await peer.answer("used", [], "409 Conflict");
    await peer.ended();
  }, async (request) => {
    const { status } = await request({ body: endless });
    assertEquals(status, 409);
    assert(sentBytes < 1e9);
  });
});

sanitized.test("streamRequest() throws what body and sink throw", async () => {
  await withStream(async (peer) => {
    await peer.write(`${FIVE}12345`);
    await peer.ended();
  }, async (request) => {
    const write = () => Promise.reject(new Error("the disk is full"));
    await assertRejects(() => request({ sink: { lengthBytes: 5, write } }), Error, "disk is full");
  });
  await withStream((peer) => peer.ended(), async (request) => {
    const body = { lengthBytes: 5, read: () => Promise.reject(new Error("input/output error")) };
    await assertRejects(() => request({ body }), Error, "input/output error");
    await assertRejects(
      () => request({ body: bodyOf("123", { lengthBytes: 5 }) }),
      RangeError,
      "ended early",
    );
  });
});

sanitized.test("streamRequest() ends when its signal aborts", async () => {
  const controller = new AbortController();
  await withStream(async (peer) => {
    await peer.request();
    controller.abort(new Error("enough"));
    await peer.ended();
  }, async (request) => {
    for (const sink of [sinkOf(5), sinkOf(0)]) {
      await assertRejects(() => request({ sink }, controller.signal), Error, "enough");
    }
  });
});

timed.test("streamRequest() ends when the transfer stalls", async (time) => {
  await withStream(async (peer) => {
    await peer.request();
    await peer.write(`${FIVE}12`);
    await peer.ended();
  }, async (request) => {
    const began = Promise.withResolvers<void>();
    const sink = sinkOf(5, began.resolve);
    const asking = request({ sink });
    asking.catch(() => {});
    await began.promise;
    time.tick(59_000);
    assertEquals(sink.text.length <= 2, true);
    time.tick(16_000);
    const error = await assertRejects(() => asking, ResponseError, "stalled");
    assertEquals(error.kind, "timeout");
  });
});

timed.test("streamRequest() goes on as long as bytes move, however slowly, in either direction", async (time) => {
  let taken = Promise.withResolvers<void>();
  await withStream(async (peer) => {
    const asked = await peer.request();
    if (asked?.body !== "") return await peer.answer(asked?.body ?? "");
    await peer.write(`${OK}Content-Length: 4\r\n\r\n`);
    for (const letter of "wxyz") {
      await peer.write(letter);
      await taken.promise;
      taken = Promise.withResolvers();
    }
  }, async (request) => {
    const body = bodyOf("a".repeat(28), { onRead: () => time.tick(45_000) });
    assertEquals((await request({ body })).text, "a".repeat(28));
    const sink = sinkOf(4, () => {
      time.tick(45_000);
      taken.resolve();
    });
    await request({ sink });
    assertEquals(sink.text, "wxyz");
  });
});
