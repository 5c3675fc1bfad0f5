import { assertEquals, assertRejects } from "@std/assert";
import { connectAbortable, connectHappyEyeballs } from "../../lib/net/happy_eyeballs.ts";
import { FakeTime } from "../fake_time.ts";
import { countedSignal } from "../panel/counted_signal.ts";
import { testScripts } from "../panel/scripts.ts";
import { fakeConnect } from "./fake_connect.ts";

const PORT = 80;
const address = (number: string | number) => `192.0.2.${number}`;

/** A race between addresses 1 to 3, each of which answers when a script says so. */
class Race implements AsyncDisposable {
  readonly time = new FakeTime();
  readonly tried: string[] = [];
  /** Those that were told to stop, and the connections that were closed. */
  readonly stopped: string[] = [];
  readonly closed: string[] = [];
  readonly answers = new Map<string, PromiseWithResolvers<Deno.TcpConn>>();
  readonly stop = new AbortController();
  readonly listeners = countedSignal(this.stop).listeners;
  winner = "none";
  addresses = ["1", "2", "3"].map(address);
  readonly #faked = fakeConnect(({ hostname, signal }) => {
    this.tried.push(hostname);
    const answer = Promise.withResolvers<Deno.TcpConn>();
    this.answers.set(hostname, answer);
    signal.addEventListener("abort", () => {
      this.stopped.push(hostname);
      answer.reject(new Error("stopped"));
    });
    return answer.promise;
  });

  start(): void {
    const options = { port: PORT, signal: this.stop.signal };
    connectHappyEyeballs(this.addresses, options).then(
      ({ localAddr }) => this.winner = localAddr.hostname,
      ({ message }) => this.winner = message,
    );
  }

  /** An address connects; only what is used of a connection is there. */
  accept(hostname: string): void {
    const close = () => void this.closed.push(hostname);
    const connection: Deno.TcpConn = Object.create(null);
    this.answers.get(hostname)?.resolve(
      Object.assign(connection, { close, localAddr: { hostname } }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _ = this.#faked;
    using time = this.time;
    await time.run(0);
    assertEquals([time.timers, this.listeners()], [0, 0]);
  }
}

const list = (hosts: readonly string[]) => hosts.map((host) => host.slice(-1)).join(" ");

testScripts(
  `
starts the next address after 250 ms, and stops all others when one has connected
  start; tried = 1; 0.249 s; tried = 1; 0.001 s; tried = 1 2; accept 1; 0 s; winner = 192.0.2.1; stopped = 2
  1 s; tried = 1 2; closed =
starts the next address at once when one fails, and gives the first error
  start; refuse 1; 0 s; refuse 2; 0 s; refuse 3; 0 s; tried = 1 2 3; winner = 192.0.2.1 refuses
waits for a slow address when the others have failed
  of 1 2; start; 0.25 s; refuse 2; 5 s; accept 1; 0 s; winner = 192.0.2.1
closes the second of two that connect at the same time
  start; 0.25 s; accept 1 2; 0 s; winner = 192.0.2.1; closed = 2
rejects with the signal's reason, stops all and starts no more
  start; 0.25 s; abort; 0 s; winner = enough; stopped = 1 2; 1 s; tried = 1 2; start; 0 s; tried = 1 2; winner = enough
rejects without addresses
  of; start; 0 s; winner = Cannot connect: there is no address
`,
  {
    steps: {
      of: (race, numbers) => race.addresses = numbers === "" ? [] : numbers.split(" ").map(address),
      start: (race) => race.start(),
      accept: (race, numbers) => numbers.split(" ").forEach((it) => race.accept(address(it))),
      refuse: ({ answers }, number) =>
        answers.get(address(number))?.reject(new Error(`${address(number)} refuses`)),
      abort: ({ stop }) => stop.abort(new Error("enough")),
    },
    facts: {
      winner: ({ winner }) => winner,
      tried: ({ tried }) => list(tried),
      stopped: ({ stopped }) => list(stopped),
      closed: ({ closed }) => list(closed),
    },
    run: ({ time }, ms) => time.run(ms),
  },
  { subject: "connectHappyEyeballs()", make: () => new Race() },
);

Deno.test("connectAbortable() closes what has connected as its signal aborted", async () => {
  const controller = new AbortController();
  let closed = 0;
  using _ = fakeConnect(() => {
    controller.abort(new Error("enough"));
    const connection: Deno.TcpConn = Object.create(null);
    return Promise.resolve(Object.assign(connection, { close: () => void closed++ }));
  });
  const options = { port: PORT, signal: controller.signal };
  await assertRejects(() => connectAbortable("192.0.2.1", options), Error, "enough");
  assertEquals(closed, 1);
});
