import { assert, assertEquals, assertRejects } from "@std/assert";
import { connectAbortable, connectHappyEyeballs } from "../../lib/net/happy_eyeballs.ts";
import { FakeTime } from "../fake_time.ts";
import { countedSignal } from "../panel/counted_signal.ts";
import { realDeadline } from "../real_deadline.ts";
import { type Connect, fakeConnect } from "./fake_connect.ts";
import { sanitized } from "../sanitized_tests.ts";

const signal = new AbortController().signal;
const ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];

/** Addresses that a test has answer when it likes. */
class Addresses implements Disposable {
  readonly tried: string[] = [];
  /** Those that were told to stop. */
  readonly stopped: string[] = [];
  readonly #answers = new Map<string, PromiseWithResolvers<Deno.TcpConn>>();
  readonly #faked = fakeConnect((options) => this.#connect(options));

  readonly #connect: Connect = ({ hostname, signal }) => {
    this.tried.push(hostname);
    const answer = Promise.withResolvers<Deno.TcpConn>();
    this.#answers.set(hostname, answer);
    signal.addEventListener("abort", () => {
      this.stopped.push(hostname);
      answer.reject(new Error("stopped"));
    });
    return answer.promise;
  };

  [Symbol.dispose](): void {
    this.#faked[Symbol.dispose]();
  }

  refuse = (hostname: string) =>
    this.#answers.get(hostname)?.reject(new Error(`${hostname} refuses`));

  accept = (hostname: string, connection: Deno.TcpConn) =>
    this.#answers.get(hostname)?.resolve(connection);
}

async function connectionTo(listener: Deno.TcpListener): Promise<Deno.TcpConn> {
  return await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
}

/** One to nobody, any more. */
async function anyConnection(): Promise<Deno.TcpConn> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connection = await connectionTo(listener);
  (await listener.accept()).close();
  return connection;
}

sanitized.test("connectHappyEyeballs() starts the next address after 250 ms, and stops all others when one has connected", async () => {
  using connection = await anyConnection();
  using time = new FakeTime();
  using addresses = new Addresses();
  const raced = connectHappyEyeballs(ADDRESSES, { port: 80, signal });
  assertEquals(addresses.tried, ["192.0.2.1"]);
  await time.run(249);
  assertEquals(addresses.tried.length, 1);
  await time.run(1);
  assertEquals(addresses.tried, ["192.0.2.1", "192.0.2.2"]);
  addresses.accept("192.0.2.1", connection);
  assert(await raced === connection);
  assertEquals(addresses.stopped, ["192.0.2.2"]);
  assertEquals(time.timers, 0);
  await time.run(1000);
  assertEquals(addresses.tried.length, 2);
});

sanitized.test("connectHappyEyeballs() starts the next address at once when one fails", async () => {
  using time = new FakeTime();
  using addresses = new Addresses();
  const raced = connectHappyEyeballs(ADDRESSES, { port: 80, signal });
  raced.catch(() => {});
  for (const address of ADDRESSES) {
    addresses.refuse(address);
    await time.run(0);
  }
  assertEquals(addresses.tried, ADDRESSES);
  await assertRejects(() => raced, Error, "192.0.2.1 refuses");
  assertEquals(time.timers, 0);
});

sanitized.test("connectHappyEyeballs() waits for a slow address when the others have failed", async () => {
  using connection = await anyConnection();
  using time = new FakeTime();
  using addresses = new Addresses();
  const raced = connectHappyEyeballs(ADDRESSES.slice(0, 2), { port: 80, signal });
  await time.run(250);
  addresses.refuse("192.0.2.2");
  await time.run(5000);
  addresses.accept("192.0.2.1", connection);
  assert(await raced === connection);
});

sanitized.test("connectHappyEyeballs() closes the second of two that connect at the same time", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [first, second] = [await connectionTo(listener), await connectionTo(listener)];
  using served = await listener.accept();
  using loser = await listener.accept();
  using time = new FakeTime();
  using addresses = new Addresses();
  const raced = connectHappyEyeballs(ADDRESSES, { port: 80, signal });
  await time.run(250);
  addresses.accept("192.0.2.1", first);
  addresses.accept("192.0.2.2", second);
  assert(await raced === first);
  assertEquals(await realDeadline(loser.read(new Uint8Array(1))), null);
  first.close();
  assertEquals(await realDeadline(served.read(new Uint8Array(1))), null);
});

sanitized.test("connectHappyEyeballs() rejects with the signal's reason, stops all and starts no more; and without addresses", async () => {
  using time = new FakeTime();
  using addresses = new Addresses();
  const controller = new AbortController();
  const options = { port: 80, signal: controller.signal };
  const raced = connectHappyEyeballs(ADDRESSES, options);
  await time.run(250);
  controller.abort(new Error("enough"));
  await assertRejects(() => raced, Error, "enough");
  assertEquals(addresses.stopped, ["192.0.2.1", "192.0.2.2"]);
  assertEquals(addresses.tried.length, 2);
  assertEquals(time.timers, 0);
  await assertRejects(() => connectHappyEyeballs(ADDRESSES, options), Error, "enough");
  const toNone = connectHappyEyeballs([], { port: 80, signal });
  await assertRejects(() => toNone, RangeError, "there is no address");
});

sanitized.test("connectAbortable() closes what has connected as its signal aborted", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connection = await connectionTo(listener);
  using accepted = await listener.accept();
  const controller = new AbortController();
  using _ = fakeConnect(() => {
    controller.abort(new Error("enough"));
    return Promise.resolve(connection);
  });
  const options = { port: 80, signal: controller.signal };
  await assertRejects(() => connectAbortable("192.0.2.1", options), Error, "enough");
  assertEquals(await realDeadline(accepted.read(new Uint8Array(1))), null);
});

sanitized.test("connectHappyEyeballs() removes its listener from the signal", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { signal, listeners } = countedSignal();
  const { port } = listener.addr;
  using _connection = await connectHappyEyeballs(["127.0.0.1"], { port, signal });
  using _accepted = await listener.accept();
  assertEquals(listeners(), 0);
});
