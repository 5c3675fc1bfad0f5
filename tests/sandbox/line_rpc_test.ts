import { assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async/delay";
import { LineRpc } from "../../lib/sandbox/line_rpc.ts";
import { denoOutput } from "../deno_output.ts";
import { testsWith } from "../tests_with.ts";

/** The other side of a channel: what it was asked, and a way to answer. */
class Peer {
  readonly asked: string[] = [];
  readonly channel: LineRpc;
  answersSeen = 0;
  #answers: ReadableByteStreamController | undefined;
  /** Resolves when nothing more will be asked. */
  readonly closed = Promise.withResolvers<void>();

  constructor(options: { deaf?: boolean } = {}) {
    const answers = new ReadableStream({
      type: "bytes",
      start: (controller) => void (this.#answers = controller),
    });
    const requests = new WritableStream<Uint8Array>({
      write: (bytes) => {
        this.asked.push(new TextDecoder().decode(bytes));
        return options.deaf ? new Promise(() => {}) : undefined;
      },
      // As the shell does, which reads them until their end.
      close: () => {
        this.closed.resolve();
        this.end();
      },
    });
    this.channel = new LineRpc({ requests, answers, onAnswer: () => this.answersSeen++ });
  }

  say(given: string | Uint8Array): void {
    const bytes = typeof given === "string" ? new TextEncoder().encode(given) : given;
    this.#answers?.enqueue(bytes);
  }

  end(): void {
    this.#answers?.close();
    this.#answers?.byobRequest?.respond(0);
  }
}

const withPeer = testsWith(() => new Peer());

withPeer.test("LineRpc.ask() matches answers that come in another order and in pieces", async (peer) => {
  const first = peer.channel.ask("one");
  const second = peer.channel.ask("two");
  peer.say("2 ok se");
  peer.say("cond\n1 ok first\n");
  assertEquals(await Promise.all([first, second]), ["ok first", "ok second"]);
  assertEquals(peer.asked, ["1 one\n", "2 two\n"]);
});

withPeer.test("LineRpc.ask() rejects with the signal's reason, and drops the late answer", async (peer) => {
  const controller = new AbortController();
  const asked = peer.channel.ask("one", { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => asked, Error, "enough");
  const { signal } = controller;
  await assertRejects(() => peer.channel.ask("two", { signal }), Error, "enough");
  const next = peer.channel.ask("three");
  peer.say("1 ok late\n7 ok never asked\nnonsense\n2 ok\n");
  assertEquals(await next, "ok");
  assertEquals(peer.answersSeen, 4);
});

withPeer.test("LineRpc.ask() takes a long answer, characters that come in two pieces, and no answer without an end", async (peer) => {
  const asked = peer.channel.ask("one");
  const text = "é".repeat(4000);
  const bytes = new TextEncoder().encode(`1 ${text}`);
  peer.say(bytes.slice(0, 5));
  peer.say(bytes.slice(5));
  peer.say("\n");
  assertEquals(await asked, text);
  const endless = peer.channel.ask("two");
  peer.say("2 " + "x".repeat(9000));
  await assertRejects(() => endless, Error, "it has ended");
  await peer.closed.promise;
});

Deno.test("LineRpc.ask() keeps nothing of a request that was given up", async () => {
  const url = new URL("../../lib/sandbox/line_rpc.ts", import.meta.url);
  const source = `
import { LineRpc } from "${url}";
const rpc = new LineRpc({ requests: new WritableStream(), answers: new ReadableStream({ type: "bytes" }) });
async function giveUp() {
  const controller = new AbortController();
  const asked = rpc.ask("one", { signal: controller.signal });
  controller.abort(new Error("enough"));
  return new WeakRef(await asked.catch((error) => error));
}
const reason = await giveUp();
await new Promise((resolve) => setTimeout(resolve, 0));
gc();
console.log(reason.deref());
void rpc;
`;
  assertEquals(await denoOutput("eval --ext=ts --v8-flags=--expose-gc", [source]), "undefined\n");
});

Deno.test("LineRpc.ask() refuses more when the other side does not read", async () => {
  const peer = new Peer({ deaf: true });
  const asked = Array.from({ length: 256 }, () => peer.channel.ask("one"));
  await assertRejects(() => peer.channel.ask("one more"), Error, "it does not read");
  peer.end();
  for (const answer of asked) await assertRejects(() => answer, Error, "it has ended");
});

withPeer.test("LineRpc.notify() needs no answer, and ask() rejects when the other side ends, then and later", async (peer) => {
  peer.channel.notify("reap");
  await delay(0);
  const asked = peer.channel.ask("one");
  peer.end();
  await assertRejects(() => asked, Error, "Cannot ask the shell: it has ended");
  assertEquals(peer.channel.isEnded, true);
  await assertRejects(() => peer.channel.ask("two"), Error, "it has ended");
  peer.channel.notify("reap");
  assertEquals(peer.asked, ["0 reap\n", "1 one\n"]);
});
