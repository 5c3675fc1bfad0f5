import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ResponseError } from "../../lib/net/errors.ts";
import { type StreamedRequest, streamRequest } from "../../lib/net/http_stream.ts";
import { timed } from "../fake_time.ts";
import { LoopbackDialer } from "./loopback_dialer.ts";
import { type RawPeer, type RawServer, withRawServer } from "./raw_server.ts";
import { sanitized } from "../sanitized_tests.ts";

const never = new AbortController().signal;

/** A request to a server; no connection may be left. */
async function withStream(
  serve: (peer: RawPeer) => Promise<void>,
  use: (
    request: (
      request: Partial<StreamedRequest>,
      signal?: AbortSignal,
    ) => ReturnType<typeof streamRequest>,
    server: RawServer,
  ) => Promise<void>,
  dialer = new LoopbackDialer(),
): Promise<void> {
  await withRawServer(serve, async (server) => {
    await use(
      (request, signal = never) =>
        streamRequest(
          dialer,
          { method: "POST", url: `${server.origin}/t?token=x`, headers: [], ...request },
          { signal, stallMs: 60_000 },
        ),
      server,
    );
    assertEquals(dialer.openStreams, 0);
  });
}

/** Gives `text` in pieces. */
function bodyOf(text: string, lengthBytes = text.length) {
  let at = 0;
  return {
    lengthBytes,
    read(into: Uint8Array<ArrayBuffer>) {
      const bytes = new TextEncoder().encode(text.slice(at, at + Math.min(7, into.length)));
      into.set(bytes);
      at += bytes.length;
      return Promise.resolve(bytes.length);
    },
  };
}

/** Keeps what it is given. */
function sinkOf(lengthBytes: number) {
  const sink = {
    lengthBytes,
    text: "",
    async write(bytes: Uint8Array<ArrayBuffer>) {
      await Promise.resolve();
      sink.text += new TextDecoder().decode(bytes);
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
    assertMatch(head, /^POST \/t\?token=x HTTP\/1\.1\r\n/);
    assertMatch(head, /^content-length: 50000\r$/m);
    assertMatch(head, /^x-a: b\r$/m);
    assertMatch(head, /^connection: close\r$/m);
  }, new LoopbackDialer({ longestWrite: 1000 }));
});

for (const chunked of [false, true]) {
  sanitized.test(`streamRequest() gives its sink a body ${chunked ? "in chunks" : "of a length"}`, async () => {
    const text = "abcdefghij".repeat(3000);
    await withStream(async (peer) => {
      assertMatch((await peer.request())?.head ?? "", /^content-length: 0\r$/m);
      if (!chunked) return await peer.answer(text);
      await peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      await peer.write(`2710\r\n${text.slice(0, 10_000)}\r\n`);
      await peer.write(`4e20\r\n${text.slice(10_000)}\r\n0\r\n\r\n`);
    }, async (request) => {
      const sink = sinkOf(30_000);
      const answer = await request({ sink });
      assertEquals([answer.status, answer.text, sink.text], [200, "", text]);
    });
  });
}

sanitized.test("streamRequest() refuses a body of another length, or an incomplete one", async () => {
  const answers = [
    "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n123456",
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1234",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123",
    "HTTP/1.1 200 OK\r\n\r\n123",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n123",
    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n12345",
    "SSH-2.0-OpenSSH\r\n\r\n",
    "",
  ];
  let at = 0;
  await withStream(async (peer) => {
    await peer.request();
    await peer.write(answers[at] ?? "");
  }, async (request) => {
    for (; at < answers.length; at++) {
      const error = await assertRejects(
        () => request({ sink: sinkOf(5) }),
        ResponseError,
        undefined,
        answers[at],
      );
      if (at < 2) assertEquals(error.kind, at === 0 ? "too long" : "closed");
    }
  });
});

sanitized.test("streamRequest() gives a refusal as text, and its sink nothing", async () => {
  await withStream(async (peer) => {
    await peer.request();
    await peer.answer("expired", [], "401 Unauthorized");
  }, async (request) => {
    const sink = sinkOf(5);
    const { status, text } = await request({ sink });
    assertEquals([status, text, sink.text], [401, "expired", ""]);
  });
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

Deno.test("streamRequest() says why a body could not be sent, whatever the answer", async () => {
  const lost = Promise.withResolvers<void>();
  const answer = new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  let writes = 0;
  const stream = {
    async read(into: Uint8Array<ArrayBuffer>) {
      await lost.promise;
      into.set(answer);
      return answer.length;
    },
    write(bytes: Uint8Array<ArrayBuffer>) {
      if (writes++ === 0) return Promise.resolve(bytes.length);
      lost.resolve();
      return Promise.reject(new Error("broken pipe"));
    },
    close() {},
  };
  const dialer = { dial: () => Promise.resolve({ stream }) };
  const request: StreamedRequest = {
    method: "POST",
    url: "http://localhost",
    headers: [],
    body: bodyOf("123"),
  };
  const asking = streamRequest(dialer, request, { signal: never, stallMs: 60_000 });
  await assertRejects(() => asking, ResponseError, "the connection was lost");
});

sanitized.test("streamRequest() throws what body and sink throw", async () => {
  await withStream(async (peer) => {
    await peer.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345");
    await peer.ended();
  }, async (request) => {
    const write = () => Promise.reject(new Error("the disk is full"));
    await assertRejects(() => request({ sink: { lengthBytes: 5, write } }), Error, "disk is full");
  });
  await withStream(async (peer) => {
    await peer.ended();
  }, async (request) => {
    const read = () => Promise.reject(new Error("input/output error"));
    const failing = { lengthBytes: 5, read };
    await assertRejects(() => request({ body: failing }), Error, "input/output error");
    await assertRejects(() => request({ body: bodyOf("123", 5) }), RangeError, "ended early");
  });
});

sanitized.test("streamRequest() ends when its signal aborts", async () => {
  const controller = new AbortController();
  await withStream(async (peer) => {
    await peer.request();
    controller.abort(new Error("enough"));
    await peer.ended();
  }, async (request) => {
    await assertRejects(() => request({ sink: sinkOf(5) }, controller.signal), Error, "enough");
    await assertRejects(() => request({}, controller.signal), Error, "enough");
  });
});

timed.test("streamRequest() ends when the transfer stalls", async (time) => {
  await withStream(async (peer) => {
    await peer.request();
    await peer.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12");
    await peer.ended();
  }, async (request) => {
    const sink = sinkOf(5);
    const began = Promise.withResolvers<void>();
    const write = (bytes: Uint8Array<ArrayBuffer>) => {
      began.resolve();
      return sink.write(bytes);
    };
    const asking = request({ sink: { lengthBytes: 5, write } });
    asking.catch(() => {});
    await began.promise;
    time.tick(59_000);
    assertEquals(sink.text.length <= 2, true);
    time.tick(16_000);
    const error = await assertRejects(() => asking, ResponseError, "stalled");
    assertEquals(error.kind, "timeout");
  });
});

sanitized.test("streamRequest() gives a sink that takes less a shorter body", async () => {
  await withStream(async (peer) => {
    await peer.request();
    await peer.answer("123");
  }, async (request) => {
    const sink = Object.assign(sinkOf(5), { takesShorter: true });
    await request({ sink });
    assertEquals(sink.text, "123");
  });
});

timed.test("streamRequest() goes on as long as bytes move, however slowly, in either direction", async (time) => {
  let taken = Promise.withResolvers<void>();
  await withStream(async (peer) => {
    const asked = await peer.request();
    if (asked?.body !== "") return await peer.answer(asked?.body ?? "");
    await peer.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
    for (const letter of "wxyz") {
      await peer.write(letter);
      await taken.promise;
      taken = Promise.withResolvers();
    }
  }, async (request) => {
    const body = bodyOf("a".repeat(28));
    const { read } = body;
    body.read = (into) => {
      time.tick(45_000);
      return read(into);
    };
    assertEquals((await request({ body })).text, "a".repeat(28));
    const sink = sinkOf(4);
    const { write } = sink;
    sink.write = async (bytes) => {
      await write(bytes);
      time.tick(45_000);
      taken.resolve();
    };
    await request({ sink });
    assertEquals(sink.text, "wxyz");
  });
});
