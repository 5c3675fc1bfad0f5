import { assertEquals, assertRejects } from "@std/assert";
import { FileTransferClient } from "../../lib/panel/file_transfers.ts";
import { fileErrorText } from "../../lib/remote/file_arguments.ts";
import { FakeTime } from "../fake_time.ts";
import { LoopbackDialer } from "../net/loopback_dialer.ts";
import { type RawPeer, withRawServer } from "../net/raw_server.ts";
import { type DownloadVerdict, judgeDownload } from "../test_panel/transfer_rules.ts";

const PART = new TextEncoder().encode("12345");

/** The error that the panel gets for a part of a download, when its own answer is this one. */
async function errorOf(
  serve: (peer: RawPeer) => Promise<unknown>,
  wait: (sending: Promise<unknown>) => Promise<unknown> = (sending) => sending,
): Promise<string> {
  let text = "";
  const { signal } = new AbortController();
  await withRawServer((peer) => serve(peer).then(() => {}), async ({ origin }) => {
    const access = { endpoint: origin, token: "node secret" };
    const client = new FileTransferClient(access, { dialer: new LoopbackDialer(), headers: [] });
    const source = {
      lengthBytes: PART.length,
      read(into: Uint8Array<ArrayBuffer>) {
        into.set(PART);
        return Promise.resolve(PART.length);
      },
    };
    const sending = client.send({ id: "t-1", token: "transfer secret" }, source, signal);
    await wait(sending.catch(() => {}));
    text = fileErrorText(await assertRejects(() => sending, Error));
  });
  return text;
}

const answers: readonly (readonly [status: string, DownloadVerdict])[] = [
  ["400 Bad Request", "stop"],
  ["401 Unauthorized", "stop"],
  ["403 Forbidden", "stop"],
  ["404 Not Found", "stop"],
  ["405 Method Not Allowed", "stop"],
  ["409 Conflict", "stop"],
  ["410 Gone", "stop"],
  ["411 Length Required", "stop"],
  ["413 Content Too Large", "halve"],
  ["415 Unsupported Media Type", "stop"],
  ["422 Unprocessable Content", "stop"],
  ["501 Not Implemented", "stop"],
  ["502 Bad Gateway", "halve later"],
  ["503 Service Unavailable", "halve later"],
  ["504 Gateway Timeout", "halve later"],
  ["302 Found", "three tries"],
  ["407 Proxy Authentication Required", "three tries"],
  ["429 Too Many Requests", "three tries"],
  ["500 Internal Server Error", "three tries"],
  ["520 Unknown", "three tries"],
];

Deno.test("a panel of main understands each status that a transfer is refused with", async () => {
  for (const [status, verdict] of answers) {
    for (const body of ["", '{"message":"a reason"}', "<html>", "plain"]) {
      const text = await errorOf(async (peer) => {
        await peer.request();
        // Whatever the server calls it.
        await peer.answer(body, [], `${status.slice(0, 3)} Whatever`);
      });
      assertEquals(judgeDownload(text), verdict, text);
      const isNamed = verdict === "stop" || verdict === "halve later";
      assertEquals(text.includes(`: returned ${status.toLowerCase()}`), isNamed, text);
    }
  }
});

Deno.test("a transfer that is refused says what and why", async () => {
  const texts = await Promise.all(
    [["404 Not Found"], ["413 X"], ["429 X"]].map(([status]) =>
      errorOf(async (peer) => {
        await peer.request();
        await peer.answer('{"error":"transfer has expired"}', [], status);
      })
    ),
  );
  const name = "cannot send a part of a file (post /api/clients/transfer/t-1)";
  assertEquals(texts, [
    `${name}: returned 404 not found, "transfer has expired"`,
    `${name}: status 413: the part is too large`,
    `${name}: status 429, "transfer has expired"`,
  ]);
});

Deno.test("a panel of main makes parts smaller when connections break", async () => {
  const cuts: ((peer: RawPeer) => Promise<unknown>)[] = [
    (peer) => Promise.resolve(peer.close()),
    (peer) => peer.request().then(() => peer.close()),
    (peer) => peer.request().then(() => peer.write("HTTP/1.1 200 OK\r\nContent-Len")),
    (peer) =>
      peer.request().then(() => peer.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")),
  ];
  for (const cut of cuts) {
    const text = await errorOf(cut);
    assertEquals(judgeDownload(text), "halve later", text);
  }
});

Deno.test("a panel of main tries again what is no panel's answer", async () => {
  for (const body of ["<html>", '{"received":4}', "null"]) {
    const text = await errorOf((peer) => peer.request().then(() => peer.answer(body)));
    assertEquals(judgeDownload(text), "three tries", text);
  }
});

Deno.test("a transfer that stalls has three minutes, and says that its time is over", async () => {
  using time = new FakeTime();
  let tookMs = 0;
  const asked = Promise.withResolvers<void>();
  const stall = async (peer: RawPeer) => {
    await peer.request();
    asked.resolve();
    await peer.ended();
  };
  const text = await errorOf(stall, async (sending) => {
    await asked.promise;
    tookMs = await time.until(sending, { withinMs: 10 * 60_000, stepMs: 15_000 });
  });
  assertEquals(tookMs, 180_000);
  assertEquals(judgeDownload(text), "halve later", text);
});

Deno.test("a transfer to a server that speaks no HTTP does not end as one that was cut off", async () => {
  for (const answer of ["SSH-2.0-OpenSSH_9.6\r\n\r\n", "HTTP/1.1 200 OK\r\nno header\r\n\r\n"]) {
    const text = await errorOf((peer) => peer.request().then(() => peer.write(answer)));
    assertEquals(
      [text.includes("is not http"), text.includes("unexpected eof")],
      [true, false],
      text,
    );
  }
});
