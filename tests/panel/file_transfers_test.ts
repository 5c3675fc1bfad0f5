import { assertEquals, assertRejects } from "@std/assert";
import { FileTransferClient } from "../../lib/panel/file_transfers.ts";
import { PanelError } from "../../lib/panel/panel_error.ts";
import { LoopbackDialer } from "../net/loopback_dialer.ts";
import { type RawPeer, withRawServer } from "../net/raw_server.ts";

const TICKET = { id: "t-1", token: "transfer secret" };

const { signal } = new AbortController();

async function withClient(
  serve: (peer: RawPeer) => Promise<void>,
  use: (client: FileTransferClient) => Promise<void>,
): Promise<void> {
  await withRawServer(serve, async (server) => {
    const dialer = new LoopbackDialer();
    const access = { endpoint: `${server.origin}/base`, token: "node secret" };
    await use(new FileTransferClient(access, { dialer, headers: [["x-own", "1"]] }));
    assertEquals(dialer.openStreams, 0);
  });
}

function sourceOf(text: string) {
  const bytes = new TextEncoder().encode(text);
  return {
    lengthBytes: bytes.length,
    read(into: Uint8Array<ArrayBuffer>) {
      into.set(bytes);
      return Promise.resolve(bytes.length);
    },
  };
}

Deno.test("FileTransferClient.send() posts the bytes with both tokens", async () => {
  let asked: { head: string; body: string } | undefined;
  await withClient(async (peer) => {
    asked = await peer.request();
    await peer.answer('{"received":5}');
  }, async (client) => {
    await client.send({ ...TICKET, id: "t/1?ü" }, sourceOf("12345"), signal);
  });
  const [first, ...fields] = asked?.head.trimEnd().split("\r\n") ?? [];
  assertEquals(
    first,
    "POST /base/api/clients/transfer/t%2F1%3F%C3%BC?token=node%20secret HTTP/1.1",
  );
  assertEquals(fields.includes("x-komari-transfer-token: transfer secret"), true);
  assertEquals(fields.includes("x-own: 1"), true);
  assertEquals(fields.includes("content-type: application/octet-stream"), true);
  assertEquals(asked?.body, "12345");
});

Deno.test("FileTransferClient.receive() gives exactly the bytes", async () => {
  let text = "";
  await withClient(async (peer) => {
    await peer.request();
    await peer.answer("12345");
  }, async (client) => {
    await client.receive(TICKET, {
      lengthBytes: 5,
      write(bytes) {
        text += new TextDecoder().decode(bytes);
        return Promise.resolve();
      },
    }, signal);
  });
  assertEquals(text, "12345");
});

const ANSWERS = {
  "": '{"received":5} {"status":"ok"}',
  "unreadable": '<html> {"received":4} {"status":"error"} {} null ok',
};
for (const [failure, answers] of Object.entries(ANSWERS)) {
  for (const answer of answers.split(" ")) {
    Deno.test(`FileTransferClient.send() takes ${answer} for "${failure || "received"}"`, async () => {
      await withClient(async (peer) => {
        await peer.request();
        await peer.answer(answer);
      }, async (client) => {
        const sending = client.send(TICKET, sourceOf("12345"), signal);
        if (failure === "") return await sending;
        assertEquals((await assertRejects(() => sending, PanelError)).failure, failure);
      });
    });
  }
}

Deno.test("FileTransferClient names the call but no token when it fails", async () => {
  await withClient(async (peer) => {
    await peer.request();
    await peer.answer("invalid or expired", [], "409 Conflict");
  }, async (client) => {
    const error = await assertRejects(
      () => client.send(TICKET, sourceOf("12345"), signal),
      PanelError,
      "Cannot send a part of a file (POST /api/clients/transfer/t-1): returned 409 Conflict",
    );
    assertEquals(error.message.includes("secret"), false);
  });
});

Deno.test("FileTransferClient throws the signal's reason when it aborts", async () => {
  const stop = new AbortController();
  await withClient(async (peer) => {
    await peer.request();
    stop.abort(new Error("enough"));
    await peer.ended();
  }, async (client) => {
    await assertRejects(() => client.send(TICKET, sourceOf("12345"), stop.signal), Error, "enough");
    await assertRejects(() => client.send(TICKET, sourceOf("1"), stop.signal), Error, "enough");
  });
});
