import { assertEquals, assertRejects } from "@std/assert";
import { FileTransferClient } from "../../lib/panel/file_transfers.ts";
import { fileErrorText } from "../../lib/remote/file_arguments.ts";
import { cases, sameLater } from "../cases.ts";
import { FakeTime } from "../fake_time.ts";
import { LoopbackDialer } from "../net/loopback_dialer.ts";
import { type RawPeer, withRawServer } from "../net/raw_server.ts";
import { judgeDownload } from "../test_panel/transfer_rules.ts";

const TICKET = { id: "t-1", token: "transfer secret" };
const { signal } = new AbortController();

/** Uses a client of a server, of which no connection may be left. */
async function withClient<T>(
  serve: (peer: RawPeer) => Promise<unknown>,
  use: (client: FileTransferClient) => Promise<T>,
): Promise<T> {
  const dialer = new LoopbackDialer();
  const used = await withRawServer((peer) => serve(peer).then(() => {}), ({ origin }) => {
    const access = { endpoint: `${origin}/base`, token: "node secret" };
    return use(new FileTransferClient(access, { dialer, headers: [["x-own", "1"]] }));
  });
  assertEquals(dialer.openStreams, 0);
  return used;
}

function send(client: FileTransferClient, ticket = TICKET, until = signal): Promise<void> {
  const bytes = new TextEncoder().encode("12345");
  const read = (into: Uint8Array<ArrayBuffer>) => {
    into.set(bytes);
    return Promise.resolve(bytes.length);
  };
  return client.send(ticket, { lengthBytes: bytes.length, read }, until);
}

/** How sending a part ends at a server: `sent`, or the error that the panel gets for it. */
async function sentTo(serve: (peer: RawPeer) => Promise<unknown>): Promise<string> {
  const text = await withClient(serve, (client) => send(client).then(() => "sent", fileErrorText));
  assertEquals(text.includes("secret"), false, text);
  return text;
}

/** The same at one that answers every request so. */
const answered = (body: string, status = "200 OK") =>
  sentTo((peer) => peer.request().then(() => peer.answer(body, [], status)));

Deno.test("FileTransferClient throws the signal's reason when it aborts", async () => {
  const stop = new AbortController();
  await withClient(async (peer) => {
    await peer.request();
    stop.abort(new Error("enough"));
    await peer.ended();
  }, async (client) => {
    for (let n = 0; n < 2; n++) {
      await assertRejects(() => send(client, TICKET, stop.signal), Error, "enough");
    }
  });
});

const NAME = "cannot send a part of a file (post /api/clients/transfer/t-1):";

Deno.test("a transfer is sent when a panel says so, and says what and why when it is refused", async () => {
  await sameLater(([body, status]) => answered(body, status), [
    [['{"received":5}'], "sent"],
    // Panels that grew from Komari.
    [['{"status":"ok"}'], "sent"],
    [['{"error":"has expired"}', "404 X"], `${NAME} returned 404 not found, "has expired"`],
    [['{"error":"has expired"}', "413 X"], `${NAME} status 413: the part is too large`],
    [['{"error":"has expired"}', "429 X"], `${NAME} status 429, "has expired"`],
  ] as [[string, string?], string][]);
});

Deno.test("a panel of main understands each status that a transfer is refused with", async () => {
  const table = cases(`
400 Bad Request → stop
401 Unauthorized → stop
403 Forbidden → stop
404 Not Found → stop
405 Method Not Allowed → stop
409 Conflict → stop
410 Gone → stop
411 Length Required → stop
413 Content Too Large → halve
415 Unsupported Media Type → stop
422 Unprocessable Content → stop
501 Not Implemented → stop
502 Bad Gateway → halve later
503 Service Unavailable → halve later
504 Gateway Timeout → halve later
302 Found → three tries
407 Proxy Authentication Required → three tries
429 Too Many Requests → three tries
500 Internal Server Error → three tries
520 Unknown → three tries
`);
  for (const [status, verdict] of table) {
    for (const body of ["", '{"message":"a reason"}', "<html>", "plain"]) {
      // Whatever the server calls it.
      const text = await answered(body, `${status.slice(0, 3)} Whatever`);
      assertEquals(judgeDownload(text), verdict, text);
      const isNamed = verdict === "stop" || verdict === "halve later";
      assertEquals(text.includes(`: returned ${status.toLowerCase()}`), isNamed, text);
    }
  }
});

Deno.test("a panel of main makes parts smaller when connections break, and tries again what is no panel's answer", async () => {
  const cut = (text: string) => async (peer: RawPeer) => {
    if (text !== "at once") await peer.request();
    if (text.startsWith("HTTP")) await peer.write(text);
  };
  for (
    const text of [
      "at once",
      "",
      "HTTP/1.1 200 OK\r\nContent-Len",
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
    ]
  ) {
    assertEquals(judgeDownload(await sentTo(cut(text))), "halve later", text);
  }
  for (const text of ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 200 OK\r\nno header\r\n\r\n"]) {
    const error = await sentTo((peer) => peer.request().then(() => peer.write(text)));
    const says = ["is not http", "unexpected eof"].map((words) => error.includes(words));
    assertEquals(says, [true, false], error);
  }
  for (const body of ["<html>", '{"received":4}', '{"status":"error"}', "{}", "null", "ok"]) {
    assertEquals(judgeDownload(await answered(body)), "three tries", body);
  }
});

Deno.test("a transfer that stalls has three minutes, and says that its time is over", async () => {
  using time = new FakeTime();
  const asked = Promise.withResolvers<void>();
  const text = await withClient(async (peer) => {
    await peer.request();
    asked.resolve();
    await peer.ended();
  }, async (client) => {
    const sending = send(client).then(() => "sent", fileErrorText);
    await asked.promise;
    assertEquals(await time.until(sending, { withinMs: 10 * 60_000, stepMs: 15_000 }), 180_000);
    return await sending;
  });
  assertEquals(judgeDownload(text), "halve later", text);
});
